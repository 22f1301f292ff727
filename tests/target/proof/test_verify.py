"""`hashfs verify`: every kind of damage is found where it is, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.target.contents import everything, looks
from tests.target.lines import SECRETS, record_line, schema_line
from tests.target.proof.commands import hashfs, verify
from tests.target.proof.example import JOURNAL, ONE, THREE, TWO, VARIANT, rewrite, stem
from tests.target.running import archive_here


def replace(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new, 1))


def lines(path: Path) -> list[bytes]:
    return (path / JOURNAL).read_bytes().splitlines(keepends=True)


def quarantined(path: Path) -> str:
    return next(name for name in everything(path) if name.startswith("_quarantine/"))


def test_findings_say_what_to_do(path: Path) -> None:
    """One line each: what, where, expected, found, next; nothing of what a message says."""
    for damage in (flip_body, flip_eml, remove_journal, at_the_top):
        damage(path)
    lines = hashfs("verify", path).stdout.splitlines()
    assert all(line.startswith(("damage: ", "damaged: ")) for line in lines)
    assert any(line.startswith(f"damage: content-hash: {ONE}.json: expected content_hash ") for line in lines)
    assert all("; " in line and ", found " in line for line in lines[:-1])
    assert not [secret for secret in SECRETS if secret in "".join(lines)]


def test_names_play_no_tricks(path: Path) -> None:
    """A planted name cannot send commands to a terminal or add lines."""
    (path / "\x1b[2Jx\nclean").write_text("x")
    output = hashfs("verify", path).stdout
    assert "\x1b" not in output
    assert 2 == len(output.splitlines())


def test_clean(path: Path) -> None:
    """Variants, messages without .eml and a quarantined file are as they should be; exit 0."""
    assert (0, []) == verify(path)
    result = hashfs("verify", path)
    assert result.stdout.startswith("clean: 5 messages, 9 files,")
    assert "" == result.stderr


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


def remove_month(path: Path) -> str:
    shutil.rmtree(path / "gmail/2026/07")
    return "gmail/2026/07"


def remove_account(path: Path) -> str:
    shutil.rmtree(path / "work")
    return "work/2026/06"


def remove_journal(path: Path) -> str:
    shutil.rmtree(path / "_journal")
    return f"{ONE}.json"


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


def add_file(path: Path) -> str:
    (path / "gmail/2026/06/notes.txt").write_text("x")
    return "gmail/2026/06/notes.txt"


def add_json(path: Path) -> str:
    (path / "gmail/2026/06/notes.json").write_text("{}")
    return "gmail/2026/06/notes.json"


def add_undecodable_name(path: Path) -> str:
    Path(os.fsdecode(os.fsencode(path) + b"/gmail/2026/06/\xff")).write_text("x")
    return "gmail/2026/06/\\xff"


def add_directory(path: Path) -> str:
    (path / f"{stem(8)}.json").mkdir()
    return f"{stem(8)}.json"


def add_pipe(path: Path) -> str:
    os.mkfifo(path / f"{stem(8)}.json")
    return f"{stem(8)}.json"


def add_socket(path: Path) -> str:
    """Its name must be short enough to be bound."""
    here = Path.cwd()
    os.chdir(path / "gmail/2026/06")
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("s")
    finally:
        os.chdir(here)
    return "gmail/2026/06/s"


def at_the_top(path: Path) -> str:
    (path / "Thumbs.db").write_text("x")
    return "Thumbs.db"


def directory_at_the_top(path: Path) -> str:
    (path / "No Account").mkdir()
    return "No Account"


def in_the_account(path: Path) -> str:
    (path / "gmail/x").write_text("x")
    return "gmail/x"


def in_the_year(path: Path) -> str:
    (path / "gmail/2026/summer").mkdir()
    return "gmail/2026/summer"


def in_the_state(path: Path) -> str:
    (path / "_state/old.json").write_text("{}")
    return "_state/old.json"


def in_the_quarantine(path: Path) -> str:
    (path / quarantined(path)).with_name("x").write_text("x")
    return str(Path(quarantined(path)).with_name("x"))


def link_to_a_message(path: Path) -> str:
    secret = path.parent / "secret"
    (path / f"{ONE}.json").rename(secret)
    (path / f"{ONE}.json").symlink_to(secret)
    return f"{ONE}.json"


def link_to_a_month(path: Path) -> str:
    (path / "gmail/2026/08").symlink_to(path / "gmail/2026/06")
    return "gmail/2026/08"


def link_to_the_journals(path: Path) -> str:
    (path / "_journal").rename(path.parent / "elsewhere")
    (path / "_journal").symlink_to(path.parent / "elsewhere")
    return "_journal"


def temporary(path: Path) -> str:
    name = f"gmail/2026/06/.{'0' * 16}.json.1a2b3c4d.tmp"
    (path / name).write_text("x")
    return name


def file_mode(path: Path) -> str:
    (path / f"{ONE}.json").chmod(0o644)
    return f"{ONE}.json"


def eml_mode(path: Path) -> str:
    (path / f"{ONE}.eml").chmod(0o640)
    return f"{ONE}.eml"


def journal_mode(path: Path) -> str:
    (path / JOURNAL).chmod(0o644)
    return JOURNAL


def marker_mode(path: Path) -> str:
    (path / "hashfs.json").chmod(0o644)
    return "hashfs.json"


def month_mode(path: Path) -> str:
    (path / "gmail/2026/06").chmod(0o755)
    return "gmail/2026/06"


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


def put_another_in_its_place(path: Path) -> str:
    """Removed by hand, then archived anew with other content: the first is lost, and nothing says so."""
    (path / f"{THREE}.json").unlink()
    (path / f"{THREE}.eml").unlink()
    archive_here(path, [schema_line(), record_line(3, date="2026-07-01T00:00:00+00:00", subject="other")])
    return f"{THREE}.json"


DAMAGES: list[tuple[str, Callable[[Path], str]]] = [
    ("content-hash", flip_body),
    ("journal-digest", flip_header),
    ("no-message", break_json),
    ("no-message", no_utf8),
    ("no-message", empty),
    ("eml-digest", flip_eml),
    ("journal-digest", flip_eml_without_raw_sha256),
    ("content-hash", forge_content_hash),
    ("message-hash", forge_message_hash),
    ("year-month", forge_year_month),
    ("not-canonical", no_newline),
    ("not-canonical", reorder_keys),
    ("not-canonical", one_line),
    ("not-canonical", nul),
    ("journal-digest", legacy_in_our_place),
    ("misnamed", rename),
    ("misnamed", rename_variant),
    ("misplaced", wrong_month),
    ("misplaced", wrong_account),
    ("missing", remove_json),
    ("missing", remove_eml),
    ("missing", remove_month),
    ("missing", remove_account),
    ("unjournaled", remove_journal),
    ("unjournaled", add_eml),
    ("unjournaled", add_message),
    ("unjournaled", add_eml_alone),
    ("stray", add_file),
    ("stray", add_json),
    ("stray", add_undecodable_name),
    ("stray", add_directory),
    ("stray", add_pipe),
    ("stray", add_socket),
    ("stray", at_the_top),
    ("stray", directory_at_the_top),
    ("stray", in_the_account),
    ("stray", in_the_year),
    ("stray", in_the_state),
    ("unjournaled", in_the_quarantine),
    ("symlink", link_to_a_message),
    ("symlink", link_to_a_month),
    ("symlink", link_to_the_journals),
    ("temporary", temporary),
    ("mode", file_mode),
    ("mode", eml_mode),
    ("mode", journal_mode),
    ("mode", marker_mode),
    ("mode", month_mode),
    ("mode", journals_mode),
    ("marker", no_marker),
    ("marker", broken_marker),
    ("state", broken_state),
    ("state", state_of_another_archive),
    ("journal-chain", change_line),
    ("journal-chain", remove_line),
    ("journal-chain", swap_lines),
    ("unjournaled", remove_last_message_lines),
    ("journal-line", garble_line),
    ("journal-line", garble_last_line),
    ("journal-digest", forge_last_line),
    ("journal-line", forge_path),
    ("journal-digest", change_quarantined),
    ("missing", remove_quarantined),
    ("replaced", put_another_in_its_place),
]


@pytest.mark.parametrize(("code", "damage"), DAMAGES, ids=[damage.__name__ for _, damage in DAMAGES])
def test_damage(path: Path, code: str, damage: Callable[[Path], str]) -> None:
    """Found by code and path, exit 1, whatever else it entails."""
    place = damage(path)
    before = looks(path)
    exit_code, findings = verify(path)
    assert 1 == exit_code
    assert (code, place) in findings
    assert before == looks(path)


ALONE = [
    flip_body, flip_header, empty, flip_eml, forge_content_hash, no_newline, remove_json, remove_eml,
    remove_month, add_message, add_file, temporary, file_mode, month_mode, change_quarantined, at_the_top,
    change_line, no_marker, link_to_a_month, put_another_in_its_place,
]  # fmt: skip


@pytest.mark.parametrize("damage", ALONE, ids=lambda each: each.__name__)
def test_one_damage_is_one_finding(path: Path, damage: Callable[[Path], str]) -> None:
    """Nobody has to read on to know what happened."""
    damage(path)
    assert 1 == len(verify(path)[1])


SPOILT = {
    "no UTF-8": lambda content: content.replace(b'"email": "', b'"email": "\xff'),
    "no newline": lambda content: content.rstrip(b"\n"),
    "octets inside": lambda content: content.replace(b'{\n  "', b'{\n  "raw": "AAAA",\n  "', 1),
    "another hash": lambda content: content.replace(b'"message_hash": "', b'"message_hash": "f'),
    "another account": lambda content: content.replace(b'"account": "gmail"', b'"account": "work"'),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_journal_that_agrees(path: Path, spoil: Callable[[bytes], bytes]) -> None:
    """A file that no archive of ours would hold is found though a journal, rewritten to its end, names its digest."""
    file = path / f"{ONE}.json"
    old = sha256(file.read_bytes()).hexdigest()
    file.write_bytes(spoil(file.read_bytes()))
    lines, prev = [], "0" * 64
    for line in (path / JOURNAL).read_bytes().splitlines():
        entry = json.loads(line) | {"prev": prev}
        if entry.get("file_sha256") == old:
            entry |= {"file_sha256": sha256(file.read_bytes()).hexdigest(), "size": file.stat().st_size}
        lines.append(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode())
        prev = sha256(lines[-1]).hexdigest()
    (path / JOURNAL).write_bytes(b"\n".join(lines) + b"\n")
    code, findings = verify(path)
    assert (1, {f"{ONE}.json"}) == (code, {place for _, place in findings})
