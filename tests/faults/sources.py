"""What the pair reads in these tests, and the archive that an undisturbed run makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.matrix import Case, Json, listing
from tests.faults.warm import Warm
from tests.tap.runs import files_account, mail
from tests.target.contents import journal

FOLDERS, MESSAGES = 15, 8
ACCOUNT = "old-mac"


@dataclass
class Source:
    """Accounts to read, what becomes of them undisturbed, and what their states promise."""

    accounts: list[Json]
    expected: dict[str, str] = field(default_factory=dict)
    archived: list[tuple[str, str, int, str]] = field(default_factory=list)
    """Account, folder, UID (0 for files) and archived path of every message that was written."""
    journal_bytes: int = 0

    def promised(self, state: Json) -> set[str]:
        """Return the paths of the messages that *state* covers."""
        folders = {
            (account, folder): entry
            for bookmark in state.get("bookmarks", {}).values()
            for account, found in bookmark.get("accounts", {}).items()
            for folder, entry in (found.get("paths") or found.get("folders") or {}).items()
        }
        return {
            path
            for account, folder, uid, path in self.archived
            if (entry := folders.get((account, folder))) is not None
            and uid <= entry.get("last_uid", 0)
            and uid not in entry.get("pending", ())
        }


def undisturbed(directory: Path, warm: Warm, accounts: list[Json], **target: Any) -> Source:
    """Run the pair once over *accounts*; return what it made of them."""
    case = Case(directory, warm, accounts, **target)
    ran = case.run()
    assert (0, 0) == (ran.tap, ran.target), ran
    case.verify()
    lines = journal(case.path)
    return Source(
        accounts,
        listing(case.path),
        [
            (line["account"], line["source"]["folder"], line["source"]["uid"] or 0, line["path"])
            for line in lines
            if "content_hash" in line
        ],
        (case.path / "_journal/live-poll.jsonl").stat().st_size,
    )


def a_tree(path: Path, *, folders: int = FOLDERS, messages: int = MESSAGES, size: int = 100) -> list[Json]:
    """Write directories of messages over three months, with copies and a twin among them; return the account."""
    for folder in range(folders):
        (path / f"{folder:04}").mkdir(parents=True)
        for message in range(messages):
            number: int | str = folder * messages + message
            if message and message == messages - 1 and folder % 4 == 3:
                number = 0  # a copy of the first message of all
            date = f"{(folder + message) % 3 + 1:02} {('Apr', 'May', 'Jun')[message % 3]} 2026 10:30:45 +0000"
            body = "twin" if (folder, message) == (folders - 2, 0) else "x" * size
            if body == "twin":
                number, date = 1, "01 May 2026 10:30:45 +0000"  # under the Message-ID of another message
            octets = mail(number, body=body, date=date if number else "01 Apr 2026 10:30:45 +0000")
            (path / f"{folder:04}/{message}.eml").write_bytes(octets)
    return [files_account(path, name=ACCOUNT)]
