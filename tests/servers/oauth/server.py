"""`OAuthServer`: the authorization server of Google, or of any provider that keeps to the RFCs, on loopback.

    with OAuthServer() as server:
        client = server.new_client()
        refresh_token = server.new_refresh_token(client, user="ann@example.org")
        server.write_client_file(path, client)

Nobody has to click: a GET on the authorization address consents as `user`, or says no while `deny` is set.
Clients have to trust `ca_file`. Where Google goes its own way, it is said.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.servers.oauth.codes import Codes
from tests.servers.oauth.faults import Refused, Reply
from tests.servers.oauth.service import Service
from tests.servers.oauth.service_accounts import ServiceAccount, ServiceAccounts
from tests.servers.oauth.tokens import Authorization, Grant, Tokens
from tests.servers.oauth.transport import Incoming

GMAIL = "https://mail.google.com/"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class Client:
    """A client as it is registered."""

    client_id: str
    secret: str | None = field(repr=False)
    """None: a public client."""
    redirect_uris: tuple[str, ...]
    """Exact addresses (Google's kind `web`); none: any port of the loopback address (kind `installed`)."""


class OAuthServer(Service):
    """A running authorization server.

    Attributes:
        rotate: A refresh gives a new refresh token and ends the old one; off, there is none in the answer
            (Google).
        expires_in: Seconds that new access tokens live.
        refreshes: How many refresh tokens were redeemed.
        user: Who sits at the browser.
        deny: Whether that person says no.
    """

    def __init__(self, *, rotate: bool = False) -> None:
        self.rotate = rotate
        self.expires_in = 3599
        self.refreshes = 0
        self.user = "ann@example.org"
        self.deny = False
        self._clients: dict[str, Client] = {}
        self._service_accounts = ServiceAccounts()
        self._consents: set[tuple[str, str]] = set()
        self._codes = Codes()
        self._tokens = Tokens()
        super().__init__()
        self.authorization_url = f"{self.url}/authorize"
        self.token_url = f"{self.url}/token"
        self.revocation_url = f"{self.url}/revoke"

    # --- what is registered and given out ---------------------------------------------------------------

    def new_client(self, secret: str | None = "fake-secret", redirect_uris: Sequence[str] = ()) -> Client:
        """Register a client."""
        client_id = f"{secrets.randbelow(10**12):012}-fake.apps.example.org"
        client = Client(client_id, secret, tuple(redirect_uris))
        self._clients[client.client_id] = client
        return client

    def new_service_account(
        self, subjects: Collection[str] = ("ann@example.org",), scopes: Collection[str] = (GMAIL,)
    ) -> ServiceAccount:
        """Register a service account that may act for the subjects."""
        return self._service_accounts.new(subjects, scopes)

    def new_refresh_token(
        self, client: Client, user: str = "ann@example.org", scopes: Sequence[str] = (GMAIL,)
    ) -> str:
        """Return a refresh token as an earlier sign-in left it."""
        return self._tokens.new_refresh(Authorization(Grant(user, client.client_id, tuple(scopes))))

    def new_access_token(
        self, user: str = "ann@example.org", scopes: Sequence[str] = (GMAIL,), *, expires_in: float = 3599
    ) -> str:
        """Return an access token as an earlier sign-in left it; 0 seconds: an expired one."""
        return self._tokens.new_access(Authorization(Grant(user, "", tuple(scopes))), expires_in)

    def check(self, token: str) -> Grant | None:
        """Return what a live access token permits; None for any other."""
        return self._tokens.check(token)

    def revoke(self, user: str) -> None:
        """End all sign-ins of the user, as a new password does."""
        self._tokens.revoke_all(lambda grant: grant.mailbox == user)

    # --- files, in Google's formats ---------------------------------------------------------------------

    def write_client_file(self, path: Path, client: Client, kind: str = "installed") -> Path:
        """Write the client file of a `web` or `installed` application, as Google's console gives it."""
        members = {
            "client_id": client.client_id,
            "project_id": "fake-project",
            "auth_uri": self.authorization_url,
            "token_uri": self.token_url,
            "redirect_uris": list(client.redirect_uris) or ["http://localhost"],
        }
        if client.secret:
            members["client_secret"] = client.secret
        path.write_text(json.dumps({kind: members}))
        return path

    def write_token_file(self, path: Path, refresh_token: str) -> Path:
        """Write the token file of an earlier sign-in; its access token is long dead."""
        members = {
            "access_token": "fake-expired",
            "expires_in": 3599,
            "refresh_token": refresh_token,
            "scope": GMAIL,
            "token_type": "Bearer",
        }
        path.write_text(json.dumps(members))
        return path

    def write_key_file(self, path: Path, account: ServiceAccount) -> Path:
        """Write the key file of a service account, as Google's console gives it."""
        members = {
            "type": "service_account",
            "project_id": "fake-project",
            "private_key_id": "0" * 40,
            "private_key": account.private_key,
            "client_email": account.email,
            "client_id": "0" * 21,
            "auth_uri": self.authorization_url,
            "token_uri": self.token_url,
            "universe_domain": "googleapis.com",
        }
        path.write_text(json.dumps(members))
        return path

    # --- endpoints --------------------------------------------------------------------------------------

    def answer(self, incoming: Incoming) -> Reply:
        """Return the answer of the endpoint the path names."""
        match incoming.method, incoming.path:
            case "GET", "/authorize":
                return self._authorize(incoming.query)
            case "POST", "/token":
                return Reply.json(self._token(incoming))
            case "POST", "/revoke":
                return self._revoke(incoming)
            case _:
                return Reply(404)

    def _authorize(self, query: Mapping[str, str]) -> Reply:
        client = self._clients.get(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if client is None or not _may_redirect(client, redirect_uri):
            # RFC 6749 section 4.1.2.1: the person is told, not the address.
            return Reply(400, b"unknown client_id or redirect_uri", {"Content-Type": "text/plain"})
        if query.get("response_type") != "code":
            answer = {"error": "unsupported_response_type"}
        elif query.get("code_challenge_method") != "S256" or "code_challenge" not in query:
            answer = {"error": "invalid_request", "error_description": "PKCE by S256 is required"}
        elif self.deny:
            answer = {"error": "access_denied"}
        else:
            scopes = tuple(query.get("scope", "").split())
            authorization = Authorization(Grant(self.user, client.client_id, scopes))
            offline = self._offline(client, query)
            answer = {
                "code": self._codes.new(
                    authorization, redirect_uri, query["code_challenge"], offline=offline
                ),
                "scope": " ".join(scopes),
            }
        if "state" in query:
            answer["state"] = query["state"]
        separator = "&" if urlsplit(redirect_uri).query else "?"
        return Reply(302, headers={"Location": f"{redirect_uri}{separator}{urlencode(answer)}"})

    def _offline(self, client: Client, query: Mapping[str, str]) -> bool:
        """Whether a refresh token is given. Google: with `access_type=offline`, and only at the first consent
        unless `prompt=consent` asks for another; others: always."""
        again = (client.client_id, self.user) in self._consents
        self._consents.add((client.client_id, self.user))
        if GMAIL not in query.get("scope", ""):
            return True
        return query.get("access_type") == "offline" and (not again or "consent" in query.get("prompt", ""))

    def _token(self, incoming: Incoming) -> dict[str, Any]:
        form = incoming.form
        grant_type = form.get("grant_type")
        if grant_type == JWT_BEARER:
            grant = self._service_accounts.redeem(form.get("assertion", ""), self.token_url)
            return self._delegated(Authorization(grant), grant, offline=False)
        client = self._authenticate(incoming)
        match grant_type:
            case "authorization_code":
                authorization, offline = self._codes.redeem(client.client_id, form)
                return self._delegated(authorization, authorization.grant, offline=offline)
            case "refresh_token":
                return self._refresh(client, form)
            case "client_credentials":
                if client.secret is None:
                    raise Refused("unauthorized_client")  # RFC 6749 section 4.4
                grant = Grant(None, client.client_id, tuple(form.get("scope", "").split()))
                return self._delegated(Authorization(grant), grant, offline=False)
            case _:
                raise Refused("unsupported_grant_type" if grant_type else "invalid_request")

    def _authenticate(self, incoming: Incoming) -> Client:
        if incoming.basic and "client_secret" in incoming.form:
            raise Refused("invalid_request", "two ways of authentication at once")  # RFC 6749 section 2.3
        client = self._clients.get(incoming.client_id)
        if client is None:
            raise Refused("invalid_client", "The OAuth client was not found.")
        if client.secret != incoming.secret:
            raise Refused("invalid_client", "Unauthorized")
        return client

    def _refresh(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        refresh_token = form.get("refresh_token", "")
        authorization = self._tokens.authorization(refresh_token)
        if authorization is None or authorization.revoked or authorization.grant.app_id != client.client_id:
            raise Refused("invalid_grant", "Token has been expired or revoked.")
        grant = authorization.grant
        if "scope" in form:
            grant = Grant(grant.mailbox, grant.app_id, tuple(form["scope"].split()))
            if not set(grant.scopes) <= set(authorization.grant.scopes):
                raise Refused("invalid_scope")  # RFC 6749 section 6
        if self.rotate:
            self._tokens.use_up(refresh_token)
        self.refreshes += 1
        return self._delegated(authorization, grant, offline=self.rotate)

    def _delegated(self, authorization: Authorization, grant: Grant, *, offline: bool) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "access_token": self._tokens.new_access(authorization, self.expires_in, grant),
            "expires_in": self.expires_in,
            "scope": " ".join(grant.scopes),
            "token_type": "Bearer",
        }
        if offline:
            answer["refresh_token"] = self._tokens.new_refresh(authorization)
        return answer

    def _revoke(self, incoming: Incoming) -> Reply:
        token = incoming.form.get("token", incoming.query.get("token", ""))
        if incoming.client_id:
            client = self._authenticate(incoming)
            if self._tokens.owner(token) in {None, client.client_id}:
                self._tokens.revoke(token)
            return Reply(200)  # RFC 7009 section 2.2: an unknown token too
        if not self._tokens.revoke(token):  # Google asks for no client, and says when there was nothing
            raise Refused("invalid_token", "Token expired or revoked")
        return Reply.json({})


def _may_redirect(client: Client, redirect_uri: str) -> bool:
    """Whether the address is registered; RFC 8252 section 7.3: any port of the loopback address."""
    if client.redirect_uris:
        return redirect_uri in client.redirect_uris
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
