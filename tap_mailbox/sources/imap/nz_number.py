"""The numbers by which a server names messages: UIDs, UIDVALIDITY, UIDNEXT (RFC 3501, section 9, nz-number).

What is no such number is stopped here: in the state it would keep the next run from starting.
"""

from __future__ import annotations

from tap_mailbox.sources.imap.replies import Refused

LARGEST = 2**32 - 1
_SHOWN_DIGITS = 20


def known(value: object) -> int | None:
    """Return *value* if it can be; else None, since who says the impossible does not know."""
    return value if isinstance(value, int) and 1 <= value <= LARGEST else None


def required(value: int, what: str) -> int:
    """Return *value*, as which the server gives *what*.

    Raises:
        Refused: it cannot be, so what the server says of this folder proves nothing.
    """
    if known(value) is None:
        raise Refused(
            f"{what}: expected a number from 1 to {LARGEST} (RFC 3501, nz-number), found "
            f"{str(value)[:_SHOWN_DIGITS]}; the bookmark stays. Have the server repaired, or name the folder "
            "in folders.exclude"
        )
    return value
