"""What a folder holds, by month: enough to see in which months delta and the folder disagree.

A state cannot carry a hundred thousand ids. For each month it carries how many there were and the exclusive
or of their hashes: equal figures mean equal contents, and messages of any other month are read again (the
archive knows those it has). docs/adr/0008-reconcile.md has the reasons.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_UNDATED = "undated"


@dataclass(slots=True)
class Listing:
    """Count and digest of the ids in every month, by receivedDateTime."""

    months: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, identity: str, received: datetime | None) -> None:
        """Count a message in; each may come once."""
        month = month_of(received)
        count, digest = self.months.get(month, (0, 0))
        self.months[month] = count + 1, digest ^ _hash(identity)

    def merge(self, other: Listing) -> None:
        """Count in what *other* holds."""
        for month, (more, mixed) in other.months.items():
            count, digest = self.months.get(month, (0, 0))
            self.months[month] = count + more, digest ^ mixed

    def covers(self, now: Listing, received: datetime | None) -> bool:
        """Whether *now*, listed later, holds the same in the month of *received*."""
        month = month_of(received)
        return month in self.months and self.months[month] == now.months.get(month)

    def dumps(self) -> dict[str, str]:
        """Return it as the state has it: `{"2026-06": "31-9f86d081884c7d65"}`."""
        return {month: f"{count}-{digest:016x}" for month, (count, digest) in sorted(self.months.items())}

    @classmethod
    def loads(cls, written: object) -> Listing:
        """Return what `dumps` wrote; what cannot be read counts as not known."""
        months = {}
        for month, text in (written if isinstance(written, dict) else {}).items():
            count, _, digest = str(text).partition("-")
            try:
                months[str(month)] = int(count), int(digest, 16)
            except ValueError:
                continue
        return cls(months)


def month_of(received: datetime | None) -> str:
    """Return the bucket of a message."""
    return _UNDATED if received is None else received.strftime("%Y-%m")


def _hash(identity: str) -> int:
    return int.from_bytes(hashlib.sha256(identity.encode("utf-8", "replace")).digest()[:8])
