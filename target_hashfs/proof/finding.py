"""What can be said about an archive that is not as it should be: codes, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

_RESTORE = (
    "restore it from a copy; or move it (of an .eml: the .json beside it) out of the archive, lower the "
    "bookmark of its folder and run again"
)
_READ_AGAIN = (
    "restore it from a copy; or lower the bookmark of its folder and run again (of an .eml: with the .json "
    "beside it moved out of the archive)"
)
_STRAY = "it is none of the archive's: move it away"
_JOURNAL = "restore the journal from a copy, or compare a root that was kept outside (hashfs root --check)"


class Severity(Enum):
    """What a finding means for the archive."""

    DAMAGE = "damage"
    NOTE = "note"
    """As it may be: nothing is lost and nothing needs to be done."""


class Code(Enum):
    """What kind of finding it is: name, severity, and the next step."""

    UNREADABLE = "unreadable", Severity.DAMAGE, "check owner, mode and disk, then verify again"
    NO_MESSAGE = "no-message", Severity.DAMAGE, _RESTORE
    MESSAGE_HASH = "message-hash", Severity.DAMAGE, _RESTORE
    CONTENT_HASH = "content-hash", Severity.DAMAGE, _RESTORE
    YEAR_MONTH = "year-month", Severity.DAMAGE, _RESTORE
    NOT_CANONICAL = "not-canonical", Severity.DAMAGE, _RESTORE
    MISNAMED = "misnamed", Severity.DAMAGE, "give it the expected name, or " + _RESTORE
    MISPLACED = "misplaced", Severity.DAMAGE, "move it to the expected folder, or " + _RESTORE
    EML_DIGEST = "eml-digest", Severity.DAMAGE, _RESTORE
    MISSING = "missing", Severity.DAMAGE, _READ_AGAIN
    UNJOURNALED = (
        "unjournaled",
        Severity.DAMAGE,
        "find out which program put it there; if the journal is older than the files, restore the journal",
    )
    JOURNAL_DIGEST = "journal-digest", Severity.DAMAGE, _RESTORE
    REPLACED = "replaced", Severity.DAMAGE, "find the content that was there first in a copy, and keep it"
    JOURNAL_CHAIN = "journal-chain", Severity.DAMAGE, _JOURNAL
    JOURNAL_LINE = "journal-line", Severity.DAMAGE, _JOURNAL
    SYMLINK = "symlink", Severity.DAMAGE, "it is never followed: move it away"
    STRAY = "stray", Severity.DAMAGE, _STRAY
    TEMPORARY = "temporary", Severity.DAMAGE, "no run is writing it: remove it"
    MODE = "mode", Severity.DAMAGE, "chmod it"
    MARKER = (
        "marker",
        Severity.DAMAGE,
        "restore it; the archive_id is in the state, under bookmarks._hashfs",
    )
    STATE = "state", Severity.DAMAGE, "restore it; the newest state is in the last commit line of the journal"

    TORN_TAIL = "torn-tail", Severity.NOTE, "a run died while writing it; the next run cuts it off"
    UNFINISHED = (
        "unfinished-commit",
        Severity.NOTE,
        "a run died in it and the next run completes it; then verify again",
    )
    LEGACY = "legacy", Severity.NOTE, "nothing to do: the system before this one wrote it"
    ARCHIVED_SO = (
        "archived-so",
        Severity.NOTE,
        "nothing is damaged, it came so; does a stream map or a foreign tap change messages?",
    )

    def __init__(self, label: str, severity: Severity, advice: str) -> None:
        self.label = label
        self.severity = severity
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; it names places and digests, never what a message says."""

    code: Code
    path: str
    """Relative to the root, with `/`."""
    expected: str
    found: str
    line: int | None = None
    """Of a journal, from 1."""

    @property
    def is_damage(self) -> bool:
        """Whether the archive is damaged."""
        return self.code.severity is Severity.DAMAGE

    @property
    def place(self) -> str:
        """Path and line as people read them; a name cannot play tricks on a terminal."""
        path = self.path if self.path.isprintable() else ascii(self.path)
        return path if self.line is None else f"{path}:{self.line}"

    def as_text(self) -> str:
        """Return it as one line for people."""
        return (
            f"{self.code.severity.value}: {self.code.label}: {self.place}: expected {self.expected}, "
            f"found {self.found}; {self.code.advice}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as one object for programs."""
        return {
            "severity": self.code.severity.value,
            "code": self.code.label,
            "path": self.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
            "line": self.line,
            "expected": self.expected,
            "found": self.found,
            "next": self.code.advice,
        }
