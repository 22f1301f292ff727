"""The one door to Microsoft Graph: every request of the tap goes through `GraphClient`.

Here alone the token is sent, and only to the configured host; redirects are refused, links checked, waits
bounded, limits kept. Only GET is spoken: the mailbox is never changed.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, make_headers

from tap_mailbox.errors import AccountError, CredentialError, PoliteStop, Unavailable
from tap_mailbox.https import https_pool, read_raw
from tap_mailbox.retry_after import retry_after
from tap_mailbox.sources.graph.bodies import json_object, mime, no_mime
from tap_mailbox.sources.graph.pace import CONCURRENCY
from tap_mailbox.sources.graph.replies import (
    UNREADABLE_CODES,
    Malformed,
    Refused,
    codes_of,
    concurrency,
    in_lower_case,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3 import BaseHTTPResponse

    from tap_mailbox.auth.bearer import BearerCredential
    from tap_mailbox.config import GraphServer
    from tap_mailbox.sources.graph.pace import Pace

TRANSIENT = frozenset({408, 429, 502, 503, 504, 509})
"""Statuses that pass; 500 is asked again too, but fewer times: it is often for good."""
MAX_ATTEMPTS = 6
MAX_ATTEMPTS_500 = 3
"""Also for a 404 without Graph's error document, and for a 200 with something else than was asked for."""
FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 60.0
SHORTEST_DELAY_SECONDS = 0.1
IMMUTABLE = 'IdType="ImmutableId"'
"""Ids that stay when a message moves; the preference is forgotten between requests."""
_PATIENCE_SECONDS = 120.0
_SLOWEST_OCTETS_PER_SECOND = 16_000
"""An answer may take two minutes, and what it holds at this speed; one that drips is broken off."""


class GraphClient:
    """Answers of one mailbox; may be used by several threads at once."""

    def __init__(
        self,
        server: GraphServer,
        credential: BearerCredential,
        pace: Pace,
        *,
        mailbox: str,
        wait: Callable[[float], None],
    ) -> None:
        self.mailbox = mailbox
        """Path of the mailbox: `/me` or `/users/…`."""
        self._server, self._credential, self._pace, self._wait = server, credential, pace, wait
        self._origin = urlsplit(server.url)
        self._closed = False
        self._pool = https_pool(server.url, ca_file=server.ca_file, connections=CONCURRENCY)
        self._timeout = Timeout(connect=server.connect_timeout, read=server.read_timeout)
        self._headers = {
            "User-Agent": f"tap-mailbox/{version('tap-mailbox')}",
            "Accept": "*/*",
            **make_headers(keep_alive=True, accept_encoding=True),
        }

    def close(self) -> None:
        """Ask nothing more, whoever may still want to, and close the idle connections."""
        self._closed = True
        self._pool.close()

    def url(self, path: str, query: str = "") -> str:
        """Return the address of *path* in this mailbox; *query* as it stands after the question mark."""
        return f"{self._server.url}{self.mailbox}{path}{'?' + query if query else ''}"

    def json(self, url: str, *, doing: str, prefer: str = "") -> dict[str, Any]:
        """Return the object at *url*.

        Args:
            url: From `url`, or a link of the service, followed as it stands.
            doing: What an error begins with.
            prefer: Further preferences (RFC 7240).

        Raises:
            Refused: for good; see its properties.
            Unavailable: the service or the line failed, again and again.
            PoliteStop: it asks for a longer wait than `max_wait`.
            CredentialError: the token is refused, also a new one.
            AccountError: a link or redirect to somebody else.
        """
        return cast("dict[str, Any]", self._get(url, doing=doing, prefer=prefer, parse=json_object))

    def octets(self, url: str, *, doing: str) -> bytes:
        """Return the content at *url*; raises as `json` does."""
        return cast("bytes", self._get(url, doing=doing, prefer="", parse=bytes))

    def mime(self, url: str, *, doing: str) -> bytes:
        """Return the message at *url*; raises as `json` does.

        Raises:
            Malformed: what comes is no message.
        """
        return cast("bytes", self._get(url, doing=doing, prefer="", parse=mime))

    def _get(self, url: str, *, doing: str, prefer: str, parse: Callable[[bytes], object]) -> object:
        self.check_link(url, doing)
        waited, failures, rejected = 0.0, 0, None
        while True:
            reply = self._attempt(url, rejected, doing, prefer, parse)
            if not isinstance(reply, _Failure):
                return reply
            if reply.status == 401:
                if rejected is not None:
                    raise CredentialError(
                        f"{doing}: the token is refused, a new one as well ({reply.shown}); does the "
                        "application have the permission Mail.Read, and is it consented?"
                    )
                rejected = reply.token
                continue
            rejected = None
            failures += 1
            delay = self._verdict(reply, failures, doing)
            if waited + delay > self._server.max_wait:
                raise PoliteStop(
                    f"{doing}: the service wants us to wait {waited + delay:.0f} s ({reply.shown}), more "
                    f"than max_wait ({self._server.max_wait:.0f} s); the next run goes on"
                )
            started = time.monotonic()
            if reply.concurrency:
                self._pace.wait_for_an_end(delay)
            else:
                self._wait(delay)
            waited += time.monotonic() - started

    def _verdict(self, reply: _Failure, failures: int, doing: str) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            Refused, Malformed, Unavailable: there is no use in one.
        """
        hopeless = in_lower_case(reply.codes) & UNREADABLE_CODES
        # A 404 that is not Graph's own comes from something before it, and may pass as a 502 does.
        faltering = reply.status in (200, 500) or (reply.status == 404 and not reply.codes)
        if faltering and not hopeless and failures >= MAX_ATTEMPTS_500:
            if reply.status == 200:
                raise Malformed(f"{doing}: {reply.shown}, {failures} times")
            raise Refused(doing, reply.status or 0, reply.codes)
        if hopeless or (reply.status is not None and reply.status not in TRANSIENT and not faltering):
            raise Refused(doing, reply.status or 0, reply.codes)
        # A server that limits us may do so as often as it likes; `max_wait` bounds it.
        if failures >= MAX_ATTEMPTS and reply.retry_after is None and reply.status != 429:
            raise Unavailable(f"{doing}: failed {failures} times ({reply.shown})")
        if reply.retry_after is not None and not reply.concurrency:
            return max(reply.retry_after, SHORTEST_DELAY_SECONDS)
        backoff: float = min(FIRST_DELAY_SECONDS * 2 ** min(failures - 1, 10), MAX_DELAY_SECONDS)
        return backoff * random.uniform(0.5, 1)  # noqa: S311  # jitter, not a secret

    def _attempt(
        self, url: str, rejected: str | None, doing: str, prefer: str, parse: Callable[[bytes], object]
    ) -> object | _Failure:
        """Ask one time, in turn."""
        try:
            token = self._credential.token(rejected=rejected)
        except Unavailable as error:
            return _Failure(shown=str(error))
        headers = {
            **self._headers,
            "Authorization": f"Bearer {token}",
            "Prefer": f"{IMMUTABLE}, {prefer}" if prefer else IMMUTABLE,
        }
        parts = urlsplit(url)
        # As it stands: a link is opaque.
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        with self._pace.turn(longest=self._server.max_wait) as turn:
            if self._closed:
                raise PoliteStop(f"{doing}: the account has ended")
            try:
                with self._pool.urlopen(
                    "GET",
                    target,
                    headers=headers,
                    timeout=self._timeout,
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                ) as response:
                    body = read_raw(response, seconds=_PATIENCE_SECONDS, slowest=_SLOWEST_OCTETS_PER_SECOND)
                    if parse is not json_object and _endless(response):
                        return _Failure(shown="an answer without an end cannot be told from a cut one")
            except (HTTPError, OSError) as error:
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    raise AccountError(
                        f"{doing}: the server's certificate is not trusted; name its authority in ca_file "
                        "if the server is right"
                    ) from None
                return _Failure(shown=type(error).__name__)
            # Within our turn: the fence must stand before anybody else begins.
            reply = self._meaning(response, body, token, parse, doing)
            turn.refused = isinstance(reply, _Failure) and reply.concurrency
            return reply

    def _meaning(
        self,
        response: BaseHTTPResponse,
        body: bytes,
        token: str,
        parse: Callable[[bytes], object],
        doing: str,
    ) -> object | _Failure:
        status = response.status
        if status == 200:
            if parse is mime and (found := no_mime(response.headers.get("Content-Type", ""), body)):
                return _Failure(status=status, shown=f"expected a message, found {found}")
            try:
                return parse(body)
            except (ValueError, RecursionError):
                return _Failure(shown="the answer is not the JSON object it should be")
        if 300 <= status < 400:
            raise AccountError(
                f"{doing}: the service redirects ({status}); not followed, the token would go along"
            )
        codes = codes_of(body)
        shown = f"{status} {codes[0]}" if codes else str(status)
        limited = status == 429 and concurrency(body)
        pause = retry_after(response.headers)
        if (status in TRANSIENT or status == 500) and pause is not None and not limited:
            self._pace.hold(pause)
        return _Failure(
            status=status, codes=codes, retry_after=pause, shown=shown, concurrency=limited, token=token
        )

    def check_link(self, url: str, doing: str) -> None:
        """Return if *url* is the configured service's, and a token may go there.

        Raises:
            AccountError: it is somebody else's, or not over HTTPS.
        """
        if not self.owns(url):
            raise AccountError(
                f"{doing}: a link leads away from {self._origin.hostname}; not followed, the old link is kept"
            )

    def owns(self, url: str) -> bool:
        """Whether *url* is the configured service's. See `check_link`."""
        try:
            parts = urlsplit(url)
            same = (parts.scheme, parts.hostname, parts.port) == (
                self._origin.scheme,
                self._origin.hostname,
                self._origin.port,
            )
        except ValueError:
            return False
        return same and not parts.username and not parts.password


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """An answer that is none, and what is known of it."""

    shown: str
    status: int | None = None
    """None: there was no answer, or none that could be read."""
    codes: tuple[str, ...] = ()
    retry_after: float | None = None
    concurrency: bool = False
    token: str | None = field(default=None, repr=False)


def _endless(response: BaseHTTPResponse) -> bool:
    """Whether nothing tells the end of an answer from a break (RFC 9112, section 6.3); Graph always does."""
    framed = {"content-length", "transfer-encoding"} & {name.lower() for name in response.headers}
    return response.status == 200 and response.version == 11 and not framed
