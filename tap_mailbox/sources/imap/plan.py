"""What travels together: messages into windows; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mailbox.sources.imap.commands import Envelope

WINDOW_MESSAGES = 200
WINDOW_OCTETS = 4 * 1024 * 1024
"""What one FETCH may bring: enough to outweigh a round trip, and four of them at once in memory."""


def windows(envelopes: Sequence[Envelope], *, messages: int = WINDOW_MESSAGES) -> Iterator[list[Envelope]]:
    """Yield runs of at most *messages* messages and `WINDOW_OCTETS`; a larger message travels alone."""
    window: list[Envelope] = []
    octets = 0
    for envelope in envelopes:
        if window and (len(window) >= messages or octets + envelope.size > WINDOW_OCTETS):
            yield window
            window, octets = [], 0
        window.append(envelope)
        octets += envelope.size
    if window:
        yield window
