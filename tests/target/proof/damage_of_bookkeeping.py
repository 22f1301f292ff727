"""Damage to journals, marker, state and quarantine: each way does one, and says where it has to be found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.target.contents import everything
from tests.target.lines import record_line, schema_line
from tests.target.proof.example import JOURNAL, ONE, THREE, replace, stem
from tests.target.running import archive_here


def lines(path: Path) -> list[bytes]:
    return (path / JOURNAL).read_bytes().splitlines(keepends=True)


def quarantined(path: Path) -> str:
    return next(name for name in everything(path) if name.startswith("_quarantine/"))


def remove_journal(path: Path) -> str:
    shutil.rmtree(path / "_journal")
    return f"{ONE}.json"


def in_the_state(path: Path) -> str:
    (path / "_state/old.json").write_text("{}")
    return "_state/old.json"


def in_the_quarantine(path: Path) -> str:
    (path / quarantined(path)).with_name("x").write_text("x")
    return str(Path(quarantined(path)).with_name("x"))


def link_to_the_journals(path: Path) -> str:
    (path / "_journal").rename(path.parent / "elsewhere")
    (path / "_journal").symlink_to(path.parent / "elsewhere")
    return "_journal"


def journal_mode(path: Path) -> str:
    (path / JOURNAL).chmod(0o644)
    return JOURNAL


def marker_mode(path: Path) -> str:
    (path / "hashfs.json").chmod(0o644)
    return "hashfs.json"


def journals_mode(path: Path) -> str:
    (path / "_journal").chmod(0o755)
    return "_journal"


def no_marker(path: Path) -> str:
    (path / "hashfs.json").unlink()
    return "hashfs.json"


def broken_marker(path: Path) -> str:
    (path / "hashfs.json").write_text("{}")
    return "hashfs.json"


def broken_state(path: Path) -> str:
    (path / "_state/state.json").write_text('{"bookmarks"')
    return "_state/state.json"


def state_of_another_archive(path: Path) -> str:
    replace(path / "_state/state.json", b'"archive_id": "', b'"archive_id": "x')
    return "_state/state.json"


def change_line(path: Path) -> str:
    replace(path / JOURNAL, b'"folder":"INBOX"', b'"folder":"OUTBX"')
    return JOURNAL


def remove_line(path: Path) -> str:
    (path / JOURNAL).write_bytes(b"".join(lines(path)[1:]))
    return JOURNAL


def swap_lines(path: Path) -> str:
    first, second, *rest = lines(path)
    (path / JOURNAL).write_bytes(b"".join([second, first, *rest]))
    return JOURNAL


def remove_last_message_lines(path: Path) -> str:
    """The chain is whole; the files show that lines are missing."""
    (path / JOURNAL).write_bytes(b"".join(lines(path)[:2]))
    return f"{THREE}.json"


def garble_line(path: Path) -> str:
    first, _, *rest = lines(path)
    (path / JOURNAL).write_bytes(b"".join([first, b"hello\n", *rest]))
    return JOURNAL


def garble_last_line(path: Path) -> str:
    """It has an end, so that no crash explains it."""
    (path / JOURNAL).write_bytes(b"".join([*lines(path)[:-1], b"hello\n"]))
    return JOURNAL


def forge_last_line(path: Path) -> str:
    """The end of the chain can be rewritten; what it says of a file cannot become true."""
    archive_here(path, [schema_line(), record_line(9)])
    message, _ = lines(path)[-2:]
    entry = json.loads(message) | {"file_sha256": "0" * 64}
    kept = [*lines(path)[:-2], json.dumps(entry).encode() + b"\n"]
    (path / JOURNAL).write_bytes(b"".join(kept))
    return f"{stem(9)}.json"


def forge_path(path: Path) -> str:
    entry = json.loads(lines(path)[-1])
    line = entry | {
        "event": "archived",
        "account": "gmail",
        "path": "../../etc/passwd",
        "file_sha256": "0" * 64,
        "size": 1,
        "eml_sha256": None,
        "message_hash": "0" * 16,
        "content_hash": "0" * 64,
        "source": None,
    }
    (path / JOURNAL).write_bytes(b"".join([*lines(path)[:-1], json.dumps(line).encode() + b"\n"]))
    return JOURNAL


def change_quarantined(path: Path) -> str:
    (path / quarantined(path)).write_bytes(b"x")
    return quarantined(path)


def remove_quarantined(path: Path) -> str:
    name = quarantined(path)
    (path / name).unlink()
    return name
