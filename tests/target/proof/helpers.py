"""Archives made by the real target, and ways to run `hashfs` on them."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from target_hashfs.canonical import Canonical, content_hash
from target_hashfs.cli import main
from target_hashfs.schema import load_schema
from tests.target.helpers import archive_here, record_line, schema_line, state_line

Json = dict[str, Any]


def stem(number: int, month: str = "2026/06", account: str = "gmail") -> str:
    """Where `record_line(number)` lies."""
    return f"{account}/{month}/{sha256(f'<{number}@example.org>'.encode()).hexdigest()[:16]}"


JOURNAL = "_journal/live-poll.jsonl"
ONE, TWO, THREE = stem(1), stem(2), stem(3, "2026/07")
MESSAGES = [
    record_line(1),
    record_line(2, eml=False),
    record_line(3, date="2026-07-01T00:00:00+00:00"),
    record_line(4, account="work"),
    record_line(1, subject="the copy of a list"),
]
VARIANT = f"{ONE}.{content_hash(MESSAGES[-1]['record'])[:16]}"


def an_archive(path: Path, *more: Json, **config: Any) -> Path:
    """Two accounts, two months, a variant, a message without .eml, something quarantined; two runs."""
    (path / f"{TWO}.json").parent.mkdir(parents=True, mode=0o700)
    for directory in ("gmail", "gmail/2026", "."):
        (path / directory).chmod(0o700)
    (path / f"{TWO}.json").write_bytes(b"")
    assert 0 == archive_here(path, [schema_line(), *MESSAGES, *more, state_line(4)], **config).code
    assert 0 == archive_here(path, [state_line(4), schema_line(), state_line(4)], **config).code
    return path


def hashfs(*arguments: object) -> Result:
    """Run the command in this process, and in no other unless it is told to."""
    line = [str(each) for each in arguments]
    if line[0] in {"verify", "root"} and "--jobs" not in line:
        line += ["--jobs", "1"]
    return CliRunner().invoke(main, line, catch_exceptions=False)


def verify(path: Path, *arguments: object) -> tuple[int, list[tuple[str, str]]]:
    """Exit code, and code and place of each finding."""
    result = hashfs("verify", path, "--json", *arguments)
    findings = json.loads(result.stdout)["findings"]
    return result.exit_code, [(each["code"], each["path"]) for each in findings]


def rewrite(file: Path, **changes: Any) -> None:
    """Change what a message file says, in the form the target would write it."""
    document = json.loads(file.read_bytes()) | changes
    order = Canonical(load_schema("message"))._order
    file.write_bytes(order.encode(document))


def looks(path: Path) -> dict[str, tuple[int, ...]]:
    """Everything below *path*, with what would betray a change."""
    found = {}
    for folder, folders, files in os.walk(path):
        for name in [*folders, *files, "."]:
            status = os.lstat(Path(folder, name))
            found[f"{folder}/{name}"] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
    return found
