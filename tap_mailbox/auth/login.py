"""Signing in as a person, once: by a code entered anywhere, or by a browser on this machine.

    device (RFC 8628)    code → the person enters it anywhere → poll → token file
    browser (RFC 6749)   address → the person approves → redirect to this machine → code, PKCE → token file

Nothing is kept before the provider has given a refresh token; then it is durable in the token file, as
renewals read it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tap_mailbox.auth.loopback import Loopback
from tap_mailbox.auth.oauth_client import oauth_client, redirect_of
from tap_mailbox.auth.refusals import refusal
from tap_mailbox.auth.token_endpoint import TokenEndpoint
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.auth.tokens import Tokens
from tap_mailbox.errors import CredentialError, Throttled, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_mailbox.auth.oauth_client import OAuthClient
    from tap_mailbox.config import Account, AuthMethod

_PENDING = frozenset({"authorization_pending", "slow_down"})
_UNLISTED = frozenset({"offline_access", "openid", "profile", "email"})
"""Scopes that servers take and do not repeat."""
_WORD = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person needs to sign in on any device."""

    url: str
    user_code: str
    seconds: float
    """How long the code is good."""


def sign_in_by_device(
    account: Account,
    method: AuthMethod,
    *,
    show: Callable[[DeviceCode], None],
    wait: Callable[[float], None],
    timeout: float,
) -> None:
    """Write the token file of a Microsoft account, once the person has entered the code (RFC 8628).

    Args:
        account: Whose mailbox it is.
        method: An `msal` method with a token file.
        show: Tells the person.
        wait: Waits some seconds between two questions.
        timeout: Seconds after which we stop asking, if the code does not expire before.

    Raises:
        CredentialError: declined, expired or refused; the text says what to do.
        Unavailable: there is no code to be had now.
    """
    from tap_mailbox.auth.microsoft import application, msal_client, scopes  # noqa: PLC0415

    app, wanted = application(account, method), scopes(account, method)
    file = _writable(method)
    with TokenEndpoint(app.authority, account) as endpoint:
        # Public even where there is a secret: a device has none to present (RFC 8628, section 3.1).
        client = msal_client(app, endpoint, public=True)
        flow = client.initiate_device_flow(wanted)
        if "user_code" not in flow:
            raise refusal(flow, account=account.name)
        # Without a pause between two questions msal would never come back.
        flow["interval"] = max(flow["interval"], 1)
        seconds = min(timeout, float(flow["expires_in"]))
        deadline = time.monotonic() + seconds
        show(DeviceCode(str(flow["verification_uri"]), str(flow["user_code"]), seconds))
        while True:
            # msal adds five seconds after each slow_down (RFC 8628, section 3.5).
            wait(flow["interval"])
            if time.monotonic() > deadline:
                raise CredentialError(f"the code was not entered within {seconds:.0f} s; begin again")
            asked = datetime.now(UTC)
            try:
                answer = client.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
            except Unavailable as error:
                # The person may be typing: a lost answer must not end it (same section).
                wait(error.seconds if isinstance(error, Throttled) else flow["interval"])
                continue
            if answer.get("error") not in _PENDING:
                break
    match answer.get("error"):
        case None:
            _keep(file, answer, asked=asked, scope=" ".join(sorted(wanted)), more={})
        case "expired_token" | "code_expired":
            raise CredentialError("the code has expired; begin again")
        case "authorization_declined" | "access_denied":
            raise CredentialError("the sign-in was declined; begin again if that was a mistake")
        case _:
            raise refusal(answer, account=account.name)


def sign_in_by_browser(
    account: Account,
    method: AuthMethod,
    *,
    show: Callable[[str, int], None],
    port: int,
    timeout: float,
) -> None:
    """Write the token file of an account, once the person has approved in a browser (RFC 8252, RFC 7636).

    Args:
        account: Whose mailbox it is.
        method: An `xoauth2` method with a token file.
        show: Opens or shows the address; its second argument is the port the browser comes back to.
        port: To listen on; 0 takes any that is free.
        timeout: Seconds to wait for the browser.

    Raises:
        CredentialError: declined, refused or too late; the text says what to do.
        Unavailable: the token endpoint cannot be asked now.
    """
    client = oauth_client(method)
    file = _writable(method)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    host, port, path = redirect_of(client, port)
    with Loopback(port=port, state=state) as loopback:
        redirect_uri = f"http://{host}:{loopback.port}{path}"
        show(_address(account, client, redirect_uri, state=state, verifier=verifier), loopback.port)
        answer = loopback.answer(timeout=timeout)
    if "code" not in answer:
        raise _declined(answer["error"])
    asked = datetime.now(UTC)
    with TokenEndpoint(client.token_url, account) as endpoint:
        granted = endpoint.grant(
            client.token_url,
            {
                "grant_type": "authorization_code",
                "code": answer["code"],
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            },
            client=client.client_id,
            secret=client.client_secret,
        ).fields
    if "error" in granted:
        raise refusal(granted, account=account.name)
    # Google's own libraries look for the scope in the file.
    _keep(file, granted, asked=asked, scope=client.scope, more={"scope": client.scope})


def _address(account: Account, client: OAuthClient, redirect_uri: str, *, state: str, verifier: str) -> str:
    """Return where a person approves (RFC 6749, section 4.1.1, with the challenge of RFC 7636)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": client.scope,
        "state": state,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
        # Google gives a refresh token only when asked in these words, and another one only after consent;
        # others pass over what they do not know (RFC 6749, section 3.1).
        "access_type": "offline",
        "prompt": "consent",
        "login_hint": account.email or "",
    }
    joint = "&" if urlsplit(client.auth_url).query else "?"
    return f"{client.auth_url}{joint}{urlencode({key: value for key, value in query.items() if value})}"


def _declined(error: str) -> CredentialError:
    if error == "access_denied":
        return CredentialError("the sign-in was declined; begin again if that was a mistake")
    # Whoever can send us to the browser chooses the word.
    shown = error if _WORD.fullmatch(error) else "an unknown error"
    return CredentialError(f"the provider refused the sign-in ({shown}); check client id, scope and auth_url")


def _writable(method: AuthMethod) -> TokenFile:
    """Return the method's token file, in a directory that takes it: known before a person is asked.

    Raises:
        CredentialError: there is no place for it.
    """
    assert method.token_file is not None  # noqa: S101  # who calls has chosen such a method
    try:
        method.token_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CredentialError(f"{method.token_file.parent} cannot be made ({error.strerror})") from None
    file = TokenFile(method.token_file)
    with file.locked():
        file.reserve()
    return file


def _keep(
    file: TokenFile, answer: Mapping[str, Any], *, asked: datetime, scope: str, more: Mapping[str, str]
) -> None:
    """Write what the provider gave, and *more*; keys of the file that are not ours stay.

    Raises:
        CredentialError: it is not enough to go on with.
    """
    tokens = Tokens.answered(answer, asked=asked)
    if tokens.refresh_token is None:
        raise CredentialError(
            "the provider gave no refresh token, without which nothing can run later; add to scope what it "
            "wants for that (often offline_access)"
        )
    # RFC 6749, section 3.3: named where it differs from what was asked for; people may untick a box.
    granted = {_short(each) for each in str(answer.get("scope") or "").split()}
    missing = [each for each in scope.split() if _short(each) not in granted | _UNLISTED]
    if granted and missing:
        raise CredentialError(
            f"the sign-in did not grant {' '.join(missing)}; begin again and leave every box ticked"
        )
    with file.locked():
        fields: dict[str, Any] = {}
        # A broken file is what a login mends; one that is sealed with another key `write` refuses to touch.
        with suppress(CredentialError):
            fields = file.read()
        file.write(tokens.written_into({**fields, **more}, scope=scope))


def _short(scope: str) -> str:
    """Return a scope without its resource, which Microsoft leaves out of some answers."""
    return scope.rstrip("/").rpartition("/")[2].lower()
