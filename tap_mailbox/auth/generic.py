"""Any provider: access tokens by RFC 6749, for a person (section 6) or for the application (section 4.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_mailbox.auth.bearer import BearerCredential
from tap_mailbox.auth.refusals import refusal
from tap_mailbox.auth.token_endpoint import TokenEndpoint
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.auth.tokens import Tokens

if TYPE_CHECKING:
    from tap_mailbox.config import Account, AuthMethod


class GenericCredential(BearerCredential):
    """Tokens from the token endpoint that the method names. See `BearerCredential`."""

    def __init__(self, account: Account, method: AuthMethod, *, client_id: str, token_url: str) -> None:
        self._account = account
        self._secret, self._token_url = method.client_secret or None, token_url
        super().__init__(
            username=method.username or account.email,
            client=client_id,
            scope=method.scope or "",
            token_file=TokenFile(method.token_file) if method.token_file else None,
        )

    def _request(self, refresh_token: str | None) -> Tokens:
        if refresh_token is None:
            grant = {"grant_type": "client_credentials"}
        else:
            grant = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if self.scope:
            grant["scope"] = self.scope
        asked = datetime.now(UTC)
        with TokenEndpoint(self._token_url, self._account) as endpoint:
            answer = endpoint.grant(self._token_url, grant, client=self.client, secret=self._secret)
        if "error" not in answer.fields and answer.status_code < 400:
            return Tokens.answered(answer.fields, asked=asked)
        raise refusal(answer.fields, account=self._account.name)
