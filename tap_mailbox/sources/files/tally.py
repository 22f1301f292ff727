"""Warnings that may concern thousands of files, in one line each."""

from __future__ import annotations

from dataclasses import dataclass, field

from tap_mailbox.sources.files.names import one_line

_EXAMPLES = 5


@dataclass(slots=True)
class _Count:
    number: int = 0
    examples: list[str] = field(default_factory=list)


class Tally:
    """Counts paths by the reason why they were passed over, and remembers the first few."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def add(self, reason: str, path: str) -> None:
        """Count a path; *reason* is a plural, as in "empty files"."""
        count = self._counts.setdefault(reason, _Count())
        count.number += 1
        if len(count.examples) < _EXAMPLES:
            count.examples.append(one_line(path))

    def lines(self) -> list[str]:
        """Return one line for each reason: `empty files: 12 (a, b, c, d, e, …)`."""
        return [
            f"{reason}: {count.number} ({', '.join(count.examples)}{', …' * (count.number > _EXAMPLES)})"
            for reason, count in self._counts.items()
        ]
