"""The corpus of real and hostile messages: agreement with what their projects state, twins, promises."""

from __future__ import annotations

import collections
import csv
import dataclasses
import importlib.util
import json
from typing import Any

import pytest

from tap_mailbox.mime import parse_message
from tests.tap.mime.records import CORPUS, NO_CORPUS, corpus_files, corpus_rows

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=NO_CORPUS)

# What agreed when this was last raised. It may only grow; docs/mime-disagreements.md names the rest.
AGREEING = {
    "subject": 463,
    "from_addr": 439,
    "date": 341,
    "from_name": 317,
    "to": 308,
    "message_id": 249,
    "text": 149,
    "cc": 146,
    "html": 107,
    "attachment_name_size": 101,
    "attachment_name": 32,
    "attachment_sha256": 17,
}


@pytest.fixture(scope="module")
def score() -> Any:
    spec = importlib.util.spec_from_file_location("score", CORPUS / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    return {row["file"]: row for row in corpus_rows()}


def test_no_reader_fails(rows: dict[str, Any]) -> None:
    """No message of the corpus is unreadable, and every record is UTF-8 without NUL."""
    for file, row in rows.items():
        assert not [code for code in row["record"]["defects"] if code.startswith("unreadable")], file
        assert b"\0" not in json.dumps(row["record"], ensure_ascii=False).encode("utf-8"), file


def test_agreement_only_grows(score: Any, rows: dict[str, Any]) -> None:
    """For each field at least as many stated values agree as when the counts were pinned."""
    agreeing: collections.Counter[str] = collections.Counter()
    for line in (CORPUS / "oracle.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        seen = score.view(rows[row["file"]]["record"])
        for key, want in row["expect"].items():
            if score.agrees(key, want, seen):
                agreeing[score.FIELD.get(key, key)] += 1
    assert {field: agreeing[field] for field in AGREEING if agreeing[field] < AGREEING[field]} == {}


def test_hostile_messages_hold(score: Any, rows: dict[str, Any]) -> None:
    """Every hostile message gives what must hold, in the seconds it may take."""
    csv.field_size_limit(10**9)
    lines = (CORPUS / "adversarial/notes.tsv").read_text(encoding="utf-8").split("\n")
    notes = csv.DictReader(filter(None, lines), delimiter="\t", quoting=csv.QUOTE_NONE)
    broken = []
    for note in notes:
        row = rows[note["file"]]
        seen = score.view(row["record"])
        wants = json.loads(note["expect_json"]).items()
        broken += [(note["file"], key) for key, want in wants if not score.holds(key, want, seen)]
        if row["seconds"] > float(note["max_seconds"]):
            broken.append((note["file"], f"{row['seconds']:.1f} s"))
    assert broken == []


def test_twins_of_every_message_are_equal() -> None:
    """With LF, CRLF or bare CR for its line ends a message gives the same values, file digests aside.

    A file attached as 7bit text is its octets as they lie, line ends among them (docs/adr/0005).
    """
    for file, octets in corpus_files():
        lines = octets.replace(b"\r\n", b"\n")
        if b"\r" in lines and b"\n" in lines:
            continue  # bare CR among other line ends: no line end there
        lines = lines.replace(b"\r", b"\n")
        first, *others = [_without_digests(lines.replace(b"\n", end)) for end in (b"\n", b"\r\n", b"\r")]
        assert others == [first, first], file


def test_twins_of_the_corpus_are_equal() -> None:
    """The bounces which the corpus holds with CRLF and with bare CR: equal to the last digest, but for one.

    `lhost-x6-01.eml` has a text file attached as 7bit, whose octets are its line ends as well.
    """
    folder = CORPUS / "messages/sisimai+set-of-emails/maildir"
    different = {
        path.name
        for path in (folder / "mac").iterdir()
        if parse_message(path.read_bytes()) != parse_message((folder / "dos" / path.name).read_bytes())
    }
    assert different <= {"lhost-x6-01.eml"}


def _without_digests(octets: bytes) -> Any:
    message = parse_message(octets)
    bare = tuple(dataclasses.replace(attachment, size=0, sha256="") for attachment in message.attachments)
    return dataclasses.replace(message, attachments=bare)
