"""The OAuth client that a person signs in through: from Google's file, or from the method itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.auth.google import MAIL_SCOPE, client_of
from tap_mailbox.auth.loopback import HOST
from tap_mailbox.auth.token_endpoint import https_only
from tap_mailbox.errors import CredentialError

if TYPE_CHECKING:
    from tap_mailbox.config import AuthMethod

_HERE = re.compile(r"http://(?P<host>127\.0\.0\.1|localhost):(?P<port>\d{1,5})(?P<path>(/[^?#]*)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """An OAuth client and where it asks."""

    client_id: str
    client_secret: str | None = field(repr=False)
    auth_url: str
    token_url: str
    scope: str
    web_redirects: tuple[str, ...] | None
    """Of Google's kind `web`, the addresses it is registered with; None: any port of this machine."""


def oauth_client(method: AuthMethod) -> OAuthClient:
    """Return the OAuth client of a method.

    Raises:
        CredentialError: its file is broken, nothing says where to sign in, or only in clear.
    """
    if method.client_file is not None:
        found = client_of(method, method.client_file)
        return OAuthClient(
            client_id=found.client_id,
            client_secret=found.client_secret,
            auth_url=https_only(found.auth_url),
            token_url=https_only(found.token_url),
            scope=method.scope or MAIL_SCOPE,
            web_redirects=found.web_redirects,
        )
    if not method.auth_url or not method.token_url or not method.client_id:
        raise CredentialError(
            "there is no address to sign in at: set auth_url on the method, beside token_url"
        )
    return OAuthClient(
        client_id=method.client_id,
        client_secret=method.client_secret,
        auth_url=https_only(method.auth_url),
        token_url=https_only(method.token_url),
        scope=method.scope or "",
        web_redirects=None,
    )


def redirect_of(client: OAuthClient, port: int) -> tuple[str, int, str]:
    """Return host, port and path the browser comes back to; port 0 is any.

    Raises:
        CredentialError: the client is of Google's kind `web`, which allows registered addresses only, and
            none of them is on this machine.
    """
    if client.web_redirects is None:
        return HOST, port, "/"
    for uri in client.web_redirects:
        here = _HERE.fullmatch(uri)
        if here and port in (0, int(here["port"])):
            return here["host"], int(here["port"]), here["path"]
    raise CredentialError(
        "the client is of type web and has no redirect URI on this machine; add "
        f"http://localhost:{port or 8765}/ to it in the provider's console and download the file again, or "
        "create a client of type desktop"
    )
