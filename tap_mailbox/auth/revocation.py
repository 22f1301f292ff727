"""Ending a sign-in at the provider (RFC 7009)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from tap_mailbox.auth.google import client_of
from tap_mailbox.auth.token_endpoint import MAX_ANSWER_BYTES, https_only
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.config.providers import PROVIDERS
from tap_mailbox.errors import CredentialError, Unavailable
from tap_mailbox.https import https_session, read_body

if TYPE_CHECKING:
    from tap_mailbox.config import Account, AuthMethod

TIMEOUT_SECONDS = 30.0


def revoke(account: Account, method: AuthMethod) -> str:
    """Make the refresh token of a method's token file worthless; returns what happened, for people.

    Raises:
        CredentialError: the token file cannot be read, or the provider refuses.
        Unavailable: the provider cannot be asked now; the token is still good.
    """
    assert method.token_file is not None  # noqa: S101  # who calls has chosen such a method
    if method.method == "msal":
        return (
            "Microsoft revokes nothing on request. To withdraw the consent: "
            "https://account.live.com/consent/Manage (personal) or https://myapps.microsoft.com (work)."
        )
    token = TokenFile(method.token_file).read().get("refresh_token")
    if not token:
        return "The token file holds no refresh token: there is nothing to revoke."
    url = _endpoint(method)
    if url is None:
        return "The provider names no way to revoke (revoke_url); end the sign-in in its account settings."
    form = {"token": str(token), "token_type_hint": "refresh_token"}
    if method.client_id:
        form["client_id"] = method.client_id
        if method.client_secret:
            form["client_secret"] = method.client_secret
    host = urlsplit(url).hostname
    try:
        with https_session(url, ca_file=account.ca_file) as session:
            # Redirects are not followed: they would carry the token elsewhere.
            response = session.post(
                url, data=form, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
            )
            body = read_body(response, seconds=TIMEOUT_SECONDS, most=MAX_ANSWER_BYTES)
    except (requests.RequestException, HTTPError, OSError) as error:
        raise Unavailable(
            f"{host} cannot be reached ({type(error).__name__}); the sign-in is still good, try again"
        ) from None
    # Not `response.ok`, which a redirect is as well.
    if response.status_code == requests.codes.ok:
        return f"{host} has revoked the sign-in."
    if _error(body) == "invalid_token":
        # Google's word for one that is worthless already; others say 200 (RFC 7009, section 2.2).
        return f"{host} did not know the sign-in any more."
    if response.status_code >= 500 or response.status_code == requests.codes.too_many_requests:
        raise Unavailable(f"{host} failed ({response.status_code}); the sign-in is still good, try again")
    raise CredentialError(
        f"{host} refused to revoke ({response.status_code}); check client id and secret, or end the sign-in "
        "in the account settings there and delete the token file"
    )


def _endpoint(method: AuthMethod) -> str | None:
    if method.revoke_url:
        return https_only(method.revoke_url)
    google = PROVIDERS["gmail"]
    if method.client_file and client_of(method, method.client_file).token_url == google["token_url"]:
        return str(google["revoke_url"])
    return None


def _error(body: bytes) -> object:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields.get("error") if isinstance(fields, dict) else None
