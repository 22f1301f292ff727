"""An archive, made by the real target, that holds something of everything; and ways to spoil its files."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from target_hashfs.canonical import Canonical, content_hash
from target_hashfs.schema import load_schema
from tests.target.lines import Json, record_line, schema_line, state_line
from tests.target.running import archive_here


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


def rewrite(file: Path, **changes: Any) -> None:
    """Change what a message file says, in the form the target would write it."""
    document = json.loads(file.read_bytes()) | changes
    order = Canonical(load_schema("message"))._order
    file.write_bytes(order.encode(document))


def replace(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new, 1))
