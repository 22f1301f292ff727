"""Times as Graph writes them, and what they are compared with."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(value: object) -> datetime | None:
    """Return a time of Graph (`2026-06-05T10:30:45Z`), None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def too_old(received: datetime | None, floor: datetime | None) -> bool:
    """Whether a message was received before *floor*; one without a time never is."""
    return floor is not None and received is not None and received < floor
