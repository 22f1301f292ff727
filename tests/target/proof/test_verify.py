"""`hashfs verify`: every kind of damage is found where it is, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.target.contents import looks
from tests.target.lines import SECRETS
from tests.target.proof import damage_of_bookkeeping as bookkeeping
from tests.target.proof import damage_of_messages as messages
from tests.target.proof import damage_of_tree as tree
from tests.target.proof.commands import hashfs, verify
from tests.target.proof.example import JOURNAL, ONE


def test_findings_say_what_to_do(path: Path) -> None:
    """One line each: what, where, expected, found, next; nothing of what a message says."""
    for damage in (messages.flip_body, messages.flip_eml, bookkeeping.remove_journal, tree.at_the_top):
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


DAMAGES: list[tuple[str, Callable[[Path], str]]] = [
    ("content-hash", messages.flip_body),
    ("journal-digest", messages.flip_header),
    ("no-message", messages.break_json),
    ("no-message", messages.no_utf8),
    ("no-message", messages.empty),
    ("eml-digest", messages.flip_eml),
    ("journal-digest", messages.flip_eml_without_raw_sha256),
    ("content-hash", messages.forge_content_hash),
    ("message-hash", messages.forge_message_hash),
    ("year-month", messages.forge_year_month),
    ("not-canonical", messages.no_newline),
    ("not-canonical", messages.reorder_keys),
    ("not-canonical", messages.one_line),
    ("not-canonical", messages.nul),
    ("journal-digest", messages.legacy_in_our_place),
    ("misnamed", messages.rename),
    ("misnamed", messages.rename_variant),
    ("misplaced", messages.wrong_month),
    ("misplaced", messages.wrong_account),
    ("missing", messages.remove_json),
    ("missing", messages.remove_eml),
    ("missing", tree.remove_month),
    ("missing", tree.remove_account),
    ("unjournaled", bookkeeping.remove_journal),
    ("unjournaled", messages.add_eml),
    ("unjournaled", messages.add_message),
    ("unjournaled", messages.add_eml_alone),
    ("stray", tree.add_file),
    ("stray", tree.add_json),
    ("stray", tree.add_undecodable_name),
    ("stray", tree.add_directory),
    ("stray", tree.add_pipe),
    ("stray", tree.add_socket),
    ("stray", tree.at_the_top),
    ("stray", tree.directory_at_the_top),
    ("stray", tree.in_the_account),
    ("stray", tree.in_the_year),
    ("stray", bookkeeping.in_the_state),
    ("unjournaled", bookkeeping.in_the_quarantine),
    ("symlink", messages.link_to_a_message),
    ("symlink", tree.link_to_a_month),
    ("symlink", bookkeeping.link_to_the_journals),
    ("temporary", tree.temporary),
    ("mode", messages.file_mode),
    ("mode", messages.eml_mode),
    ("mode", bookkeeping.journal_mode),
    ("mode", bookkeeping.marker_mode),
    ("mode", tree.month_mode),
    ("mode", bookkeeping.journals_mode),
    ("marker", bookkeeping.no_marker),
    ("marker", bookkeeping.broken_marker),
    ("state", bookkeeping.broken_state),
    ("state", bookkeeping.state_of_another_archive),
    ("journal-chain", bookkeeping.change_line),
    ("journal-chain", bookkeeping.remove_line),
    ("journal-chain", bookkeeping.swap_lines),
    ("unjournaled", bookkeeping.remove_last_message_lines),
    ("journal-line", bookkeeping.garble_line),
    ("journal-line", bookkeeping.garble_last_line),
    ("journal-digest", bookkeeping.forge_last_line),
    ("journal-line", bookkeeping.forge_path),
    ("journal-digest", bookkeeping.change_quarantined),
    ("missing", bookkeeping.remove_quarantined),
    ("replaced", messages.put_another_in_its_place),
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
    messages.flip_body, messages.flip_header, messages.empty, messages.flip_eml, messages.forge_content_hash,
    messages.no_newline, messages.remove_json, messages.remove_eml, tree.remove_month, messages.add_message,
    tree.add_file, tree.temporary, messages.file_mode, tree.month_mode, bookkeeping.change_quarantined,
    tree.at_the_top, bookkeeping.change_line, bookkeeping.no_marker, tree.link_to_a_month,
    messages.put_another_in_its_place,
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
