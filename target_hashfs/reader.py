"""Reads Singer messages: wakes for signals and deadlines, and keeps their content out of errors."""

from __future__ import annotations

import io
import json
import os
import re
import select
import sys
import time
from collections import Counter
from typing import IO, TYPE_CHECKING, Any

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from target_hashfs.ahead import ReadAhead
from target_hashfs.errors import InputError, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Protocol

    from target_hashfs.stop import Stop

    class Pulse(Protocol):
        """Who wants to act between messages, and on an idle pipe at a given time."""

        @property
        def deadline(self) -> float | None:
            """When to act at the latest, by the monotonic clock."""

        def commit_if_due(self) -> None:
            """Act if it is time."""


_decoder = msgspec.json.Decoder()

_LONGEST_WAIT_SECONDS = 86_400.0
"""Of one poll, which takes no more than 25 days; then it waits again."""


class Reader(GenericSingerReader[bytes]):
    """The SDK's message reader, on a bare descriptor."""

    def __init__(self, stop: Stop, pulse: Pulse) -> None:
        super().__init__()
        self._stop = stop
        self._pulse = pulse
        self._line = 0

    @property
    def default_input(self) -> IO[bytes]:
        """Standard input.

        Raises:
            InputError: it is closed.
        """
        if sys.stdin is None:
            raise InputError(
                "expected Singer messages on standard input, found it closed; pipe a tap into "
                "target-hashfs, or name a file with --input"
            )
        return sys.stdin.buffer

    def process_lines(
        self,
        file_input: IO[bytes] | None,
        callbacks: Mapping[str, Callable[[dict[str, Any]], None]],
    ) -> Counter[str]:
        """Hand every message to its callback until the input ends.

        Raises:
            InputError: a line is no Singer message.
            Stopped: a signal arrived; the message in progress has been finished.
        """
        seen: Counter[str] = Counter()
        for line in self._lines(file_input or self.default_input):
            self._line += 1
            if line.strip():
                seen[self._handle(line, callbacks)] += 1
            self._pulse.commit_if_due()
            if self._stop.signum is not None:
                raise Stopped
        return seen

    def _handle(self, line: bytes, callbacks: Mapping[str, Callable[[dict[str, Any]], None]]) -> str:
        message = self.deserialize_json(line)
        kind = message.get("type")
        callback = callbacks.get(kind) if isinstance(kind, str) else None
        if callback is None:
            # Only what looks like the name of a type is repeated: the rest may be anything.
            name = kind if isinstance(kind, str) and re.fullmatch(r"[A-Z_]{1,32}", kind) else "something else"
            raise InputError(f"line {self._line}: expected a Singer message type, found {name}")
        callback(message)
        return str(kind)

    def deserialize_json(self, line: bytes) -> dict[str, Any]:
        """Return the message in *line*.

        Raises:
            InputError: it is not one JSON object; the text says where and how long, not what.
        """
        try:
            message = _decoder.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            message = self._deserialize_slowly(line)
        if not isinstance(message, dict):
            raise self._refusal(line, f"a JSON {type(message).__name__}")
        return message

    def _deserialize_slowly(self, line: bytes) -> object:
        # What msgspec refuses may still be JSON: lone surrogates as escapes, a byte order mark.
        try:
            return json.loads(line.decode("utf-8-sig"), parse_constant=_refuse_constant)
        except UnicodeDecodeError as error:
            reason = f"bytes that are no UTF-8 (byte {error.start})"
        except json.JSONDecodeError as error:
            reason = f"an error at character {error.pos}"
        except ValueError:
            reason = "a number that JSON does not have"
        except RecursionError:
            reason = "one nested too deeply"
        raise self._refusal(line, reason) from None

    def _refusal(self, line: bytes, found: str) -> InputError:
        return InputError(
            f"line {self._line} of the input ({len(line):,} bytes): expected one JSON object, found {found}"
        )

    @staticmethod
    def assert_line_requires(line_dict: dict[str, Any], requires: set[str]) -> None:
        """Raise `InputError` naming the keys that are missing, not those that are there."""
        missing = sorted(requires.difference(line_dict))
        if missing:
            kind = line_dict.get("type")
            name = kind if isinstance(kind, str) else "schema"
            raise InputError(f"{name} message: expected {', '.join(missing)}, found none")

    # Lines

    def _lines(self, file: IO[Any]) -> Iterator[bytes]:
        try:
            descriptor = file.fileno()
        except (AttributeError, io.UnsupportedOperation):
            for line in file:
                yield line.encode() if isinstance(line, str) else line
            return
        yield from self._lines_of(descriptor)

    def _lines_of(self, descriptor: int) -> Iterator[bytes]:
        # Parts of a line are joined once: a line of 100 MB comes in thousands of chunks.
        parts: list[bytes] = []
        with ReadAhead(descriptor) as ahead:
            while chunk := self._next(ahead):
                start = 0
                while (end := chunk.find(b"\n", start)) >= 0:
                    parts.append(chunk[start:end])
                    line = b"".join(parts)
                    parts.clear()
                    yield line
                    start = end + 1
                if start < len(chunk):
                    parts.append(chunk[start:])
        if parts:
            yield self._last_line(b"".join(parts))

    def _last_line(self, line: bytes) -> bytes:
        """Return *line*, which ends with the input, if it is whole all the same."""
        self._line += 1
        try:
            self.deserialize_json(line)
        except InputError:
            raise InputError(
                f"the input ended inside line {self._line}, after {len(line):,} bytes of it: the tap died "
                "while writing. What came before it is archived; see the tap's log, then run again"
            ) from None
        self._line -= 1
        return line

    def _next(self, ahead: ReadAhead) -> bytes:
        """Return what was read, waiting for it, but not beyond a signal; act when a deadline passes."""
        poll = select.poll()
        poll.register(ahead.ready, select.POLLIN)
        if self._stop.wakeup is not None:
            poll.register(self._stop.wakeup, select.POLLIN)
        while True:
            if self._stop.signum is not None:
                raise Stopped
            deadline = self._pulse.deadline
            wait = None
            if deadline is not None:
                wait = min(max(0.0, deadline - time.monotonic()), _LONGEST_WAIT_SECONDS) * 1000
            ready = dict(poll.poll(wait))
            if self._stop.wakeup in ready:
                # Other signals than ours wake us as well; the bytes only say that one came.
                os.read(self._stop.wakeup or 0, 4096)
                continue
            if ahead.ready.fileno() in ready:
                return ahead.take()
            self._pulse.commit_if_due()


def _refuse_constant(_name: str) -> None:
    raise ValueError
