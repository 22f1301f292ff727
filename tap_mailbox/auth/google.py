"""Google: access tokens through google-auth, for a person (client and token file) or by a service account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tap_mailbox.auth.bearer import BearerCredential
from tap_mailbox.auth.json_file import json_object, text_of
from tap_mailbox.auth.refusals import refusal
from tap_mailbox.auth.token_endpoint import TokenEndpoint
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.auth.tokens import Tokens
from tap_mailbox.config.providers import PROVIDERS
from tap_mailbox.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tap_mailbox.config import Account, AuthMethod

_GMAIL = PROVIDERS["gmail"]
MAIL_SCOPE: str = _GMAIL["scope"]
_CLIENT_FILE = "client file"
_CLIENT_EXPECTED = '{"installed": {"client_id": …, "client_secret": …}}, or "web" instead of "installed"'
_KEY_FILE = "service account file"
_KEY_EXPECTED = "the JSON key of a service account, with client_email and private_key"
_DELEGATE = (
    "the service account may not act for the mailbox; authorise its client id for the scope in the Admin "
    "console, under domain-wide delegation"
)
_KEY_MEANINGS = {
    "invalid_grant": "Google does not know the address, or this machine's clock is wrong; check email",
    "unauthorized_client": _DELEGATE,
    "access_denied": _DELEGATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An OAuth client as its file describes it; settings of the method win."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_url: str
    token_url: str
    web_redirects: tuple[str, ...] | None
    """Of the kind `web`, the addresses it is registered with; None: any port of this machine."""


def client_of(method: AuthMethod, path: Path) -> Client:
    """Return the client of the file at *path*, which Google's console offers for download.

    Raises:
        CredentialError: the file is missing or incomplete.
    """
    fields = json_object(path, what=_CLIENT_FILE, expected=_CLIENT_EXPECTED)
    installed = fields.get("installed")
    client = installed or fields.get("web")
    if not isinstance(client, dict):
        raise CredentialError(f"client file {path} is of another kind; expected {_CLIENT_EXPECTED}")

    redirects = client.get("redirect_uris")

    def text(key: str) -> str:
        return text_of(client, key, path=path, what=_CLIENT_FILE, expected=_CLIENT_EXPECTED)

    return Client(
        client_id=text("client_id"),
        client_secret=text("client_secret"),
        auth_url=method.auth_url or str(client.get("auth_uri") or _GMAIL["auth_url"]),
        token_url=method.token_url or str(client.get("token_uri") or _GMAIL["token_url"]),
        web_redirects=None
        if installed
        else tuple(map(str, redirects if isinstance(redirects, list) else ())),
    )


class GoogleCredential(BearerCredential):
    """Tokens of a person. See `BearerCredential`."""

    def __init__(self, account: Account, method: AuthMethod, client_file: Path) -> None:
        self._account = account
        self._client = client_of(method, client_file)
        if method.token_file is None:
            raise CredentialError(
                "client_file needs token_file beside it, where the person's sign-in is kept"
            )
        super().__init__(
            username=method.username or account.email,
            client=self._client.client_id,
            scope=method.scope or MAIL_SCOPE,
            token_file=TokenFile(method.token_file),
        )

    def _request(self, refresh_token: str | None) -> Tokens:
        from google.oauth2.credentials import Credentials  # noqa: PLC0415  # as for msal

        credentials = Credentials(  # type: ignore[no-untyped-call]
            None,
            refresh_token=refresh_token,
            token_uri=self._client.token_url,
            client_id=self._client.client_id,
            client_secret=self._client.client_secret,
            scopes=self.scope.split(),
        )
        return _refreshed(credentials, self._client.token_url, self._account, meanings={})


class ServiceAccountCredential(BearerCredential):
    """Tokens of a service account that acts for the account's mailbox (domain-wide delegation)."""

    def __init__(self, account: Account, method: AuthMethod, key_file: Path) -> None:
        self._account = account
        self._key_file = key_file
        self._key = json_object(key_file, what=_KEY_FILE, expected=_KEY_EXPECTED)
        self._token_url = method.token_url or str(self._key.get("token_uri") or _GMAIL["token_url"])
        super().__init__(
            username=method.username or account.email,
            client=text_of(self._key, "client_email", path=key_file, what=_KEY_FILE, expected=_KEY_EXPECTED),
            scope=method.scope or MAIL_SCOPE,
            token_file=None,
        )
        if self.username is None:
            raise CredentialError("a service account acts for a mailbox: set email on the account")

    def _request(self, _: str | None) -> Tokens:
        from google.oauth2.service_account import Credentials  # noqa: PLC0415  # likewise

        try:
            credentials = Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                {**self._key, "token_uri": self._token_url}, scopes=self.scope.split(), subject=self.username
            )
        except (TypeError, ValueError):  # whose texts may quote the key
            raise CredentialError(
                f"{_KEY_FILE} {self._key_file} is no service account's key; expected {_KEY_EXPECTED}"
            ) from None
        return _refreshed(credentials, self._token_url, self._account, meanings=_KEY_MEANINGS)


class _Transport:
    """Asks a `TokenEndpoint` as google-auth asks (`google.auth.transport.Request`), keeping the answer."""

    def __init__(self, endpoint: TokenEndpoint) -> None:
        self._endpoint = endpoint
        self.fields: Mapping[str, Any] = {}

    def __call__(
        self, *, url: str, method: str, headers: Mapping[str, str], body: bytes, **_: object
    ) -> SimpleNamespace:
        del method  # token endpoints are asked by POST
        answer = self._endpoint.post(url, data=body, headers=headers)
        self.fields = answer.fields
        return SimpleNamespace(status=answer.status_code, headers=answer.headers, data=answer.text)


def _refreshed(
    credentials: Any,  # noqa: ANN401  # of two classes without types
    token_url: str,
    account: Account,
    *,
    meanings: Mapping[str, str],
) -> Tokens:
    """Return what a refresh of google-auth's *credentials* brought."""
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415  # likewise

    asked = datetime.now(UTC)
    with TokenEndpoint(token_url, account) as endpoint:
        transport = _Transport(endpoint)
        try:
            credentials.refresh(transport)
        except (GoogleAuthError, AttributeError, LookupError, TypeError, ValueError):
            # Also for an answer whose members are of the wrong type; which tokens it gives is seen below.
            if "error" in transport.fields:
                raise refusal(transport.fields, account=account.name, meanings=meanings) from None
        return Tokens.answered(transport.fields, asked=asked)
