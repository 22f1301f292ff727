"""Messages of one account → records, in order; and how far the Singer state may follow the source.

A source moves its bookmark when it is asked for the next message. Who parses one message at a time hands each
record over before that. Who lets other processes parse asks for more in the meantime, and the bookmark runs
ahead of what was handed over: that source moves a copy, which becomes the state's when nothing is on its way.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from tap_mailbox.message import RawMessage
from tap_mailbox.parsers import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_mailbox.message import JsonMessage
    from tap_mailbox.parsers import Parsers

DIRECT_MESSAGES = 100
"""So many of an account are parsed before it is worth to start processes for the rest."""
CHUNK_MESSAGES = 32
CHUNK_OCTETS = 256 * 1024
LARGE_OCTETS = 1024 * 1024
"""A message beyond is parsed by the tap itself: it would lie in memory several times on its way."""


class Direct:
    """Parses each message as it comes; *bookmark* always says what was handed over."""

    def __init__(self, bookmark: dict[str, Any], options: Mapping[str, Any]) -> None:
        self.bookmark = bookmark
        self._options = options

    def put(self, message: RawMessage | JsonMessage) -> Iterator[dict[str, Any]]:
        """Yield the records that are due now that *message* came."""
        # The parser and its libraries are an eighth of a poll that finds nothing to parse.
        from tap_mailbox.record import build_record  # noqa: PLC0415

        yield build_record(message, **self._options, fetched_at=datetime.now(UTC))

    def rest(self) -> Iterator[dict[str, Any]]:
        """Yield the records that are still on their way."""
        yield from ()

    @property
    def on_its_way(self) -> bool:
        """Whether messages were put of which no record was handed over yet."""
        return False

    def settle(self) -> None:
        """Let the Singer state say what was handed over, unless something is on its way."""

    def close(self) -> None:
        """Settle if that is possible, and forget what is on its way."""


class Ahead(Direct):
    """Lets other processes parse, some chunks ahead of what is handed over."""

    def __init__(self, standing: dict[str, Any], options: Mapping[str, Any], parsers: Parsers) -> None:
        super().__init__(_copy(standing), options)
        self._standing = standing
        self._parsers = parsers
        self._direct = 0
        self._chunk: list[RawMessage | JsonMessage] = []
        self._chunk_octets = 0
        self._chunks: deque[Chunk] = deque()

    def put(self, message: RawMessage | JsonMessage) -> Iterator[dict[str, Any]]:
        """Yield the records that are there by now, in the order of their messages.

        Raises:
            Stopped: a signal arrived while every process was busy.
        """
        octets = _octets(message)
        if octets > LARGE_OCTETS or not (self._parsers.started or self._direct >= DIRECT_MESSAGES):
            self._direct += 1
            yield from self.rest()
            yield from super().put(message)
            return
        self._chunk.append(message)
        self._chunk_octets += octets
        if len(self._chunk) >= CHUNK_MESSAGES or self._chunk_octets >= CHUNK_OCTETS:
            self._submit()
        yield from self._returned()
        # One slow message keeps the others waiting, not their number growing.
        while len(self._chunks) > self._parsers.ahead:
            self._parsers.wait()
            yield from self._returned()

    def rest(self) -> Iterator[dict[str, Any]]:
        """Yield the records that are still on their way, as they come.

        Raises:
            Stopped: a signal arrived meanwhile.
        """
        self._submit()
        while self._chunks:
            while not self._chunks[0].returned:
                self._parsers.wait()
            yield from self._returned()

    def settle(self) -> None:
        """Let the Singer state say what was handed over, unless something is on its way."""
        if not self.on_its_way:
            settled = _copy(self.bookmark)
            self._standing.clear()
            self._standing.update(settled)

    def close(self) -> None:
        """Settle if that is possible; else end the processes, whose answers are for no other account."""
        self.settle()
        if self.on_its_way:
            self._parsers.close()

    @property
    def on_its_way(self) -> bool:
        """Whether messages were put of which no record was handed over yet."""
        return bool(self._chunk or self._chunks)

    def _submit(self) -> None:
        if self._chunk:
            chunk = Chunk(self._chunk, {**self._options, "fetched_at": datetime.now(UTC)})
            self._chunks.append(chunk)
            self._chunk, self._chunk_octets = [], 0
            self._parsers.submit(chunk)

    def _returned(self) -> Iterator[dict[str, Any]]:
        from tap_mailbox.record import build_record  # noqa: PLC0415  # as in `Direct.put`

        while self._chunks and self._chunks[0].returned:
            chunk = self._chunks[0]
            for number in range(chunk.handed_over, chunk.size):
                self._parsers.stop.check()
                if chunk.records is not None:
                    yield chunk.records[number]
                else:
                    yield build_record(chunk.messages[number], **chunk.options)
                chunk.handed_over += 1
            # Only now: until its last record was handed over, or if one of them fails, nothing settles.
            self._chunks.popleft()


def _copy(bookmark: dict[str, Any]) -> dict[str, Any]:
    """Return a copy by way of JSON, which a bookmark is: a tenth of a deepcopy's time."""
    copy: dict[str, Any] = orjson.loads(orjson.dumps(bookmark, option=orjson.OPT_NON_STR_KEYS))
    return copy


def _octets(message: RawMessage | JsonMessage) -> int:
    if isinstance(message, RawMessage):
        return len(message.octets)
    fields = sum(len(value) for value in message.fields.values() if isinstance(value, str))
    return fields + sum(len(each.octets) for each in message.attachments)
