"""A parser process: chunks of messages come in at stdin, their records go out at stdout, until stdin ends."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

HEAD_OCTETS = 8
"""Every pickle comes behind its length, big-endian."""


def framed(value: object) -> bytes:
    """Return *value* as the other side of a pipe can read it."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(HEAD_OCTETS) + body


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every `(messages, options)` with the records of `build_record`, until the requests end.

    None answers a chunk that cannot be parsed: an exception might quote mail, and the tap meets it again when
    it parses the chunk itself.
    """
    # The tap takes the framing from here, and imports the parser with the first message.
    from tap_mailbox.record import build_record  # noqa: PLC0415

    while head := requests.read(HEAD_OCTETS):
        body = requests.read(int.from_bytes(head))
        try:
            messages, options = pickle.loads(body)  # noqa: S301  # the tap's own, by a pipe that nobody else has
            answer = [build_record(message, **options) for message in messages]
        except Exception:  # noqa: BLE001  # whatever it is, the tap shall see it and not we
            answer = None
        answers.write(framed(answer))
        answers.flush()


def main() -> None:
    """Serve the tap that started this process; the end of its pipes, however it came, ends it."""
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except (BrokenPipeError, EOFError, pickle.UnpicklingError):
        # The tap was killed. What Python would flush at its exit has no reader either.
        sys.stdout = None
