"""Records made to do harm, through the real target: paths, links, collisions, names, sizes, shapes.

Each single guard has its test in tests/target; here the process as a whole is shown the worst there is, and what
is outside of the archive is looked at afterwards.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from target_hashfs import canonical, plan
from tests.faults.matrix import Case
from tests.faults.warm import Warm
from tests.target.contents import check_covered, events, everything, tree
from tests.target.lines import Json, encoded, record_line, schema_line, state_line, uid
from tests.target.running import archive_here

TRAVERSALS = [
    "../../outside",
    "/tmp/outside",
    "..",
    "a/../../outside",
    "a\\..\\outside",
    "\0outside",
    "%2e%2e/outside",
]
TEXT_FIELDS = [
    "message_id",
    "message_hash",
    "content_hash",
    "year_month",
    "date_source",
    "email",
    "subject",
    "raw_sha256",
]
ACCOUNTS = [
    *TRAVERSALS,
    "Gmail", "GMAIL", "ｇmail", "gmaiI\u0307", "straße", "con.", "aux.", ".hidden", "_journal", "_state", "_lock",
    "_quarantine", "hashfs.json", "-rf", "a b", "a\n", "a" * 129, "", "gmail.", "gmail ",
]  # fmt: skip
RESERVED = ["con", "aux", "nul", "com1", "prn.mail", "lpt9"]
"""Reserved on Windows, plain names to everybody else; the contract allows them."""


@pytest.fixture
def target(memory: Path, warm: Warm) -> Target:
    """The real target, with a place around its archive."""
    return Target(memory, warm)


class Target:
    """A target process that is given lines."""

    def __init__(self, directory: Path, warm: Warm) -> None:
        self.surroundings = directory
        self.case = Case(directory / "inner/case", warm, [])
        self.path = self.case.path
        self.log = ""

    def archive(self, lines: list[Any]) -> tuple[int, list[Json]]:
        """Archive lines; return the exit code and the states."""
        given = self.case.directory / "lines"
        given.write_bytes(encoded(lines))
        out, log = self.case.directory / "states", self.case.directory / "target.log"
        with given.open("rb") as stdin, out.open("wb") as stdout, log.open("wb") as stderr:
            started = self.case.warm.start(
                "target", self.case.arguments("target"), stdin=stdin.fileno(), stdout=stdout.fileno(),
                stderr=stderr.fileno(),
            )  # fmt: skip
            code = started.wait()
        self.log = log.read_text()
        assert "Traceback" not in self.log
        return code, self.case.states()

    def outside(self) -> set[str]:
        """Return what there is outside of the archive and of what we put there."""
        return {
            path.relative_to(self.surroundings).as_posix()
            for path in self.surroundings.rglob("*")
            if not path.is_relative_to(self.case.directory)
        } - {"inner"}


def test_paths_in_every_field(target: Target) -> None:
    """Whatever a field says, files lie where the hash of the Message-ID puts them, inside of the archive."""
    lines: list[Any] = [schema_line()]
    for number, text in enumerate(TRAVERSALS):
        for field in TEXT_FIELDS:
            changes: Json = {field: text} if field != "message_id" else {field: f"<{text}@{number}>"}
            lines.append(record_line(len(lines), **changes))
        lines.append(record_line(len(lines), source={"folder": text, "path": text, "uid": 1}))
        attachment = {"filename": text, "content_type": text, "sha256": text, "part": text}
        lines.append(record_line(len(lines), attachments=[attachment]))
    code, states = target.archive([*lines, state_line(1)])
    assert (0, [1]) == (code, [uid(state) for state in states])
    assert set() == target.outside()
    names = {Path(name) for name in tree(target.path)}
    assert {Path("gmail/2026/06")} == {name.parent for name in names}
    hashes = {
        sha256(line["record"]["message_id"].replace("\0", "\ufffd").encode()).hexdigest()[:16]
        for line in lines[1:]
    }
    assert hashes == {name.name.partition(".")[0] for name in names}
    target.case.verify(notes_too=False)  # a raw_sha256 of others is none of ours, and noted


@pytest.mark.parametrize(
    "date", ["../../../x", "2026-06-05/../..", "0000-00-00", "9999-99-99T00:00:00Z", "1e9", ""]
)
def test_dates_that_are_none(target: Target, date: str) -> None:
    """The month is part of the path: what gives none is refused, and what came before is kept."""
    code, states = target.archive(
        [schema_line(), record_line(1), state_line(1), record_line(2, date=date), state_line(2)]
    )
    assert (1, [1]) == (code, [uid(state) for state in states])
    assert 2 == len(tree(target.path))
    assert set() == target.outside()


@pytest.mark.parametrize("account", ACCOUNTS)
def test_accounts_that_are_refused(memory: Path, account: str) -> None:
    """No name that some system reads as another, as a path or as one of ours."""
    path = memory / "archive"
    result = archive_here(
        path, [schema_line(), record_line(1), state_line(1), record_line(2, account=account)]
    )
    assert (1, [1]) == (result.code, [uid(state) for state in result.states])
    assert {"gmail"} == {name.partition("/")[0] for name in tree(path)}


def test_reserved_names(target: Target) -> None:
    """Names that Windows reserves are folders like others here; verify agrees."""
    code, _ = target.archive(
        [schema_line(), *(record_line(1, account=name) for name in RESERVED), state_line(1)]
    )
    assert 0 == code
    assert {*RESERVED} == {name.partition("/")[0] for name in tree(target.path)}
    target.case.verify()


PLACES = [
    "gmail", "gmail/2026", "gmail/2026/06", "_journal", "_state", "_lock", "_quarantine", "_quarantine/gmail",
    "_quarantine/gmail/2026/06", "_journal/live-poll.jsonl", "_journal/live-poll.intent", "_state/state.json",
    "_state/.state.json.tmp", "_lock/gmail.lock", "hashfs.json",
]  # fmt: skip
"""Everywhere the target writes."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["directory", "file", "dangling"])
def test_planted_links(memory: Path, place: str, kind: str) -> None:
    """Wherever a link is planted in the tree, nothing is written, emptied or removed behind it."""
    path, outside = memory / "archive", memory / "outside"
    assert 0 == archive_here(path, [schema_line(), record_line(1), state_line(1)]).code
    way = path / "gmail/2026/06" / f"{sha256(b'<2@example.org>').hexdigest()[:16]}.json"
    way.write_bytes(b"in the way: something to be moved")
    victim = path / place
    if victim.is_dir():
        victim.rename(memory / "moved")
    else:
        victim.unlink(missing_ok=True)
    victim.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    outside.mkdir()
    (outside / "precious").write_text("precious")
    victim.symlink_to(
        {"directory": outside, "file": outside / "precious", "dangling": outside / "none"}[kind]
    )
    result = archive_here(path, [schema_line(), record_line(2), state_line(2)])
    assert {"precious": b"precious"} == everything(outside)
    # The state file is replaced by rename, and so is a link in its place; everything else refuses.
    assert result.code == (0 if harmless(place) else 1), result.log
    assert (result.code == 0) == bool(result.states)


def harmless(place: str) -> bool:
    """Whether the link itself is replaced or removed, or stands where this run has no business."""
    return place in {"_state/state.json", "_state/.state.json.tmp"}


def test_forged_collisions(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that share their 64 bits, and contents that share theirs: all are kept, nothing is overwritten."""
    real = canonical.content_hash

    def weak(record: dict[str, Any]) -> str:
        return "0" * 16 + real(record)[16:]

    # A world in which the first 16 digits can be chosen.
    monkeypatch.setattr(canonical, "message_hash", lambda _message_id: "0" * 16)
    for module in (canonical, plan):
        monkeypatch.setattr(module, "content_hash", weak)
    path = memory / "archive"
    lines = [record_line(number, subject=f"{number % 7}") for number in range(1, 20)]
    assert 0 == archive_here(path, [schema_line(), *lines, state_line(1)], commit_messages=3).code
    before = tree(path)
    subjects = {json.loads(text)["message_id"] for name, text in before.items() if name.endswith(".json")}
    assert {line["record"]["message_id"] for line in lines} == subjects
    assert 0 == archive_here(path, [schema_line(), *lines, state_line(1)], commit_messages=5).code
    assert before == tree(path)
    assert 18 == events(path).count("variant")
    check_covered(path)


def test_hundred_megabytes(target: Target) -> None:
    """A line of 100 MB is one message; it costs memory in proportion, and the next ones are none the worse."""
    body = "x" * 100_000_000
    code, states = target.archive(
        [schema_line(), record_line(1, body_text=body), record_line(2), state_line(2)]
    )
    assert (0, [2]) == (code, [uid(state) for state in states])
    assert 4 == len(tree(target.path))


NESTED = "[" * 100_000 + "]" * 100_000
SHAPES: dict[str, bytes] = {
    "nested too deeply": b'{"type": "RECORD", "stream": "imap_messages", "record": {"x": %b}}\n'
    % NESTED.encode(),
    "nested alone": NESTED.encode() + b"\n",
    "a bomb of names": b'{"type": "RECORD", "stream": "imap_messages", "record": {%b}}\n'
    % ",".join(f'"k{number}": 1' for number in range(200_000)).encode(),
    "a number too large": b'{"type": "STATE", "value": %b}\n' % (b"9" * 5000),
    "no UTF-8": b'{"type": "STATE", "value": "\xff\xfe"}\n',
    "NUL alone": b"\0\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(target: Target, shape: str) -> None:
    """What is no message ends the run with a line; what came before it is archived and acknowledged."""
    code, states = target.archive(
        [schema_line(), record_line(1), state_line(1), SHAPES[shape], state_line(2)]
    )
    assert (1, [1]) == (code, [uid(state) for state in states])
    assert 2 == len(tree(target.path))
    assert "k19" not in target.log
    assert len(target.log) < 10_000


@pytest.mark.parametrize("number", ["1e999999", "-1e400"])
def test_state_beyond_json(target: Target, number: str) -> None:
    """A number that would leave as Infinity is refused: no reader of JSON could take the state again."""
    line = f'{{"type": "STATE", "value": {{"bookmarks": {{"x": {number}}}}}}}\n'
    code, states = target.archive([schema_line(), record_line(1), state_line(1), line])
    assert 1 == code
    assert [1] >= [uid(state) for state in states]
    assert not [name for name, text in everything(target.path).items() if b"Infinity" in text]


def test_duplicate_keys(target: Target) -> None:
    """The last of two keys counts, in the address as in the file: they can never disagree."""
    line = json.dumps(record_line(1)).replace('"message_id": "<1@example.org>"', '"message_id": "<9@x>", "message_id": "<1@example.org>"')  # fmt: skip
    assert line.count('"message_id"') == 2
    code, _ = target.archive([schema_line(), line + "\n", state_line(1)])
    assert 0 == code
    assert {sha256(b"<1@example.org>").hexdigest()[:16]} == {name[14:30] for name in tree(target.path)}
    target.case.verify()


@pytest.mark.parametrize("text", ["\\ud800", "\\udfff\\ud800", "\\u0000", "x\\u0000\\udce9y"])
def test_foreign_text_in_every_field(target: Target, text: str) -> None:
    """Lone surrogates and NUL, in keys and values, in the Message-ID and the source: U+FFFD, once and for all."""
    fields = dict.fromkeys(("message_id", "subject", "from", "body_text", "email"), "MARK")
    record = record_line(
        1, **fields, source={"folder": "MARK", "uid": 1}, headers=[{"name": "MARK", "value": "MARK"}]
    )
    line = json.dumps(record).replace("MARK", text) + "\n"
    assert 0 == target.archive([schema_line(), line, state_line(1)])[0]
    before = tree(target.path)
    document = next(content for name, content in before.items() if name.endswith(".json")).decode()
    assert "\ufffd" in document
    assert "\0" not in document
    assert 0 == target.archive([schema_line(), line, state_line(1)])[0]
    assert before == tree(target.path)
    target.case.verify()
