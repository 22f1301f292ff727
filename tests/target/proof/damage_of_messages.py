"""Damage to the files of messages: each way does one, and says where it has to be found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.target.lines import record_line, schema_line
from tests.target.proof.example import ONE, THREE, TWO, VARIANT, replace, rewrite, stem
from tests.target.running import archive_here


def flip_body(path: Path) -> str:
    replace(path / f"{ONE}.json", b"The body", b"Uhe body")
    return f"{ONE}.json"


def flip_header(path: Path) -> str:
    """What is in no hash of its own: only the journal knows."""
    replace(path / f"{ONE}.json", b'"email": "me@', b'"email": "ne@')
    return f"{ONE}.json"


def break_json(path: Path) -> str:
    replace(path / f"{ONE}.json", b'"account": "', b'"account": \\"')
    return f"{ONE}.json"


def no_utf8(path: Path) -> str:
    replace(path / f"{ONE}.json", b"The body", b"\xffhe body")
    return f"{ONE}.json"


def empty(path: Path) -> str:
    (path / f"{ONE}.json").write_bytes(b"")
    return f"{ONE}.json"


def flip_eml(path: Path) -> str:
    replace(path / f"{ONE}.eml", b"Subject", b"subject")
    return f"{ONE}.eml"


def flip_eml_without_raw_sha256(path: Path) -> str:
    """A stream without raw_sha256 and size: only the journal knows the octets."""
    archive_here(path, [schema_line(), record_line(9, raw_sha256=None, size=None)])
    replace(path / f"{stem(9)}.eml", b"Subject", b"subject")
    return f"{stem(9)}.eml"


def forge_content_hash(path: Path) -> str:
    rewrite(path / f"{ONE}.json", content_hash="0" * 64)
    return f"{ONE}.json"


def forge_message_hash(path: Path) -> str:
    rewrite(path / f"{ONE}.json", message_hash="0" * 16)
    return f"{ONE}.json"


def forge_year_month(path: Path) -> str:
    rewrite(path / f"{ONE}.json", year_month="2025/01")
    return f"{ONE}.json"


def no_newline(path: Path) -> str:
    (path / f"{ONE}.json").write_bytes((path / f"{ONE}.json").read_bytes().rstrip(b"\n"))
    return f"{ONE}.json"


def reorder_keys(path: Path) -> str:
    file = path / f"{ONE}.json"
    document = dict(reversed(json.loads(file.read_bytes()).items()))
    file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return f"{ONE}.json"


def one_line(path: Path) -> str:
    file = path / f"{ONE}.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()), ensure_ascii=False) + "\n")
    return f"{ONE}.json"


def nul(path: Path) -> str:
    """Archiving would have replaced it."""
    rewrite(path / f"{ONE}.json", email="\0")
    return f"{ONE}.json"


def legacy_in_our_place(path: Path) -> str:
    """Without content_hash it looks like a file of another system, but the journal knows better."""
    file = path / f"{ONE}.json"
    document = json.loads(file.read_bytes())
    del document["content_hash"]
    file.write_text(json.dumps(document))
    return f"{ONE}.json"


def rename(path: Path) -> str:
    (path / f"{ONE}.json").rename(path / f"{stem(77)}.json")
    return f"{stem(77)}.json"


def rename_variant(path: Path) -> str:
    (path / f"{VARIANT}.json").rename(path / f"{ONE}.{'0' * 16}.json")
    return f"{ONE}.{'0' * 16}.json"


def wrong_month(path: Path) -> str:
    (path / f"{ONE}.json").rename(path / f"{stem(1, '2026/07')}.json")
    return f"{stem(1, '2026/07')}.json"


def wrong_account(path: Path) -> str:
    (path / f"{ONE}.json").rename(path / f"{stem(1, account='work')}.json")
    return f"{stem(1, account='work')}.json"


def remove_json(path: Path) -> str:
    (path / f"{ONE}.json").unlink()
    return f"{ONE}.json"


def remove_eml(path: Path) -> str:
    (path / f"{ONE}.eml").unlink()
    return f"{ONE}.eml"


def add_eml(path: Path) -> str:
    shutil.copy(path / f"{ONE}.eml", path / f"{TWO}.eml")
    return f"{TWO}.eml"


def add_message(path: Path) -> str:
    """A perfect message that no run archived."""
    other = path.parent / "other"
    archive_here(other, [schema_line(), record_line(8, eml=False)])
    shutil.copy(other / f"{stem(8)}.json", path / f"{stem(8)}.json")
    return f"{stem(8)}.json"


def add_eml_alone(path: Path) -> str:
    shutil.copy(path / f"{ONE}.eml", path / f"{stem(8)}.eml")
    return f"{stem(8)}.eml"


def link_to_a_message(path: Path) -> str:
    secret = path.parent / "secret"
    (path / f"{ONE}.json").rename(secret)
    (path / f"{ONE}.json").symlink_to(secret)
    return f"{ONE}.json"


def file_mode(path: Path) -> str:
    (path / f"{ONE}.json").chmod(0o644)
    return f"{ONE}.json"


def eml_mode(path: Path) -> str:
    (path / f"{ONE}.eml").chmod(0o640)
    return f"{ONE}.eml"


def put_another_in_its_place(path: Path) -> str:
    """Removed by hand, then archived anew with other content: the first is lost, and nothing says so."""
    (path / f"{THREE}.json").unlink()
    (path / f"{THREE}.eml").unlink()
    archive_here(path, [schema_line(), record_line(3, date="2026-07-01T00:00:00+00:00", subject="other")])
    return f"{THREE}.json"
