"""Bearer credentials: a live access token whenever one is asked for, renewed once however many ask.

    in memory → in the token file → (lock → in the token file → request → token file) → in memory

The file is read again under its lock, since somebody may have renewed meanwhile, and what the request
brought is durable in it before it is used: a refresh token may be good for one renewal only (RFC 6749,
section 6).
"""

from __future__ import annotations

import abc
import threading
import time
from typing import TYPE_CHECKING

from tap_mailbox.auth.tokens import Tokens, moment
from tap_mailbox.errors import CredentialError, Throttled, Unavailable

if TYPE_CHECKING:
    from datetime import datetime

    from tap_mailbox.auth.token_file import TokenFile


class BearerCredential(abc.ABC):
    """Access tokens of one person (with a token file) or application (without). Thread-safe."""

    def __init__(
        self, *, username: str | None, client: str, scope: str, token_file: TokenFile | None
    ) -> None:
        self.username = username
        """The user name of SASL."""
        self.delegated = token_file is not None
        """Whether it signs in as a person and not as the application."""
        self.client = client
        """The client id: whose rate limits requests count against."""
        self.scope = scope
        """What the tokens are for, separated by spaces."""
        self._file = token_file
        self._tokens: Tokens | None = None
        self._guard = threading.Lock()
        self._fence: tuple[float, str] | None = None

    def token(self, *, rejected: str | None = None) -> str:
        """Return a live access token, renewed if it is about to expire or is the one that was *rejected*.

        Raises:
            CredentialError: it is refused for good; the text says what to do.
            Unavailable: the token endpoint cannot be asked now.
            AccountError: the account's ca_file cannot be read.
        """
        with self._guard:
            if self._tokens is None or not self._tokens.good(rejected):
                self._tokens = self._from_file(self._file, rejected) if self._file else self._ask(None)
            return self._tokens.access_token

    @property
    def expires(self) -> datetime | None:
        """When the last token expires, if that is known; reads the token file, asks nobody.

        Raises:
            CredentialError: the token file cannot be read.
        """
        if self._tokens is not None:
            return self._tokens.expires
        return moment(self._file.read().get("expires_at")) if self._file else None

    @property
    def renewed(self) -> datetime | None:
        """When the last token was given, likewise."""
        if self._tokens is not None:
            return self._tokens.renewed
        return moment(self._file.read().get("updated")) if self._file else None

    @abc.abstractmethod
    def _request(self, refresh_token: str | None) -> Tokens:
        """Return new tokens for *refresh_token*, or for the application itself. Raises as `token` does."""

    def _from_file(self, file: TokenFile, rejected: str | None) -> Tokens:
        kept = Tokens.kept(file.read(), scope=self.scope)
        if kept is not None and kept.good(rejected):
            return kept
        with file.locked():
            fields = file.read()
            kept = Tokens.kept(fields, scope=self.scope)
            if kept is not None and kept.good(rejected):
                return kept
            refresh_token = fields.get("refresh_token")
            if not isinstance(refresh_token, str) or not refresh_token:
                raise CredentialError(
                    f"token file {file.path} has no refresh_token; sign in again with `mailbox login`"
                )
            file.reserve()
            tokens = self._ask(refresh_token)
            file.write(tokens.written_into(fields, scope=self.scope))
            return tokens

    def _ask(self, refresh_token: str | None) -> Tokens:
        if self._fence is not None and time.monotonic() < self._fence[0]:
            raise Unavailable(self._fence[1])
        try:
            return self._request(refresh_token)
        except Throttled as error:
            self._fence = (time.monotonic() + error.seconds, str(error))
            raise
