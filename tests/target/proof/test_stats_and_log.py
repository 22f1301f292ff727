"""`hashfs stats` counts what is there, `hashfs log` reads what was done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from tests.target.contents import looks, tree
from tests.target.lines import SECRETS, Json, record_line, schema_line, state_line
from tests.target.proof.commands import hashfs
from tests.target.proof.example import JOURNAL
from tests.target.running import archive_here


def stats(path: Path) -> Json:
    document: Json = json.loads(hashfs("stats", path, "--json").stdout)
    return document


def log(path: Path, *arguments: object) -> list[Json]:
    return [json.loads(line) for line in hashfs("log", path, "--json", *arguments).stdout.splitlines()]


def test_counts(path: Path) -> None:
    """Messages, variants, .eml and bytes: together, by account, by month."""
    before = looks(path)
    found = stats(path)
    size = sum(map(len, tree(path).values()))
    assert (5, 1, 4, size) == tuple(found[key] for key in ("messages", "variants", "eml", "bytes"))
    assert ["gmail", "work"] == list(found["accounts"])
    gmail = found["accounts"]["gmail"]
    assert (4, 1, 3) == tuple(gmail[key] for key in ("messages", "variants", "eml"))
    assert {"2026/06": 3, "2026/07": 1} == {
        month: each["messages"] for month, each in gmail["months"].items()
    }
    assert {"2026/06": 4, "2026/07": 1} == {
        month: each["messages"] for month, each in found["months"].items()
    }
    assert json.loads((path / "hashfs.json").read_text())["archive_id"] == found["archive_id"]
    assert before == looks(path)


def test_dates(path: Path) -> None:
    """First and last by the messages' own dates, in UTC; one without a readable date is passed over."""
    archive_here(
        path,
        [
            schema_line(),
            record_line(20, date="2026-06-01T01:00:00+02:00"),
            record_line(21, date="2026-08-09T10:11:12+00:00"),
            record_line(22, date="2026-08-01T00:00:00+00:00"),
        ],
    )
    (path / "gmail/2026/08/0000000000000000.json").write_text("{")
    found = stats(path)
    assert ("2026-05-31T23:00:00+00:00", "2026-08-09T10:11:12+00:00") == (found["first"], found["last"])
    assert "2026-06-05T10:30:45+00:00" == found["accounts"]["work"]["last"]


def test_stats_for_people(path: Path) -> None:
    """A line a month, of each account and of all."""
    output = hashfs("stats", path).stdout
    assert "gmail: 2026-06-05T10:30:45+00:00 to 2026-07-01T00:00:00+00:00" in output
    assert 2 == sum(line.split()[:2] == ["2026/07", "1"] for line in output.splitlines())
    assert not [secret for secret in SECRETS if secret in output]


def test_stats_while_a_run_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary file that gets its name between listing and looking is passed over."""
    before = stats(path)
    (path / f"gmail/2026/06/.{'0' * 16}.json.1a2b3c4d.tmp").write_text("x")
    listed = os.scandir
    vanished = []

    def vanish(directory: int, entries: Iterable[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        for entry in entries:
            if entry.name.endswith(".tmp"):
                os.unlink(entry.name, dir_fd=directory)
                vanished.append(entry.name)
            yield entry

    @contextmanager
    def scandir(directory: int) -> Iterator[Iterator[os.DirEntry[str]]]:
        with listed(directory) as entries:
            yield vanish(directory, entries)

    monkeypatch.setattr(os, "scandir", scandir)
    assert before == stats(path)
    assert 1 == len(vanished)


def test_stats_of_nothing(tmp_path: Path) -> None:
    """An archive without a message is no failure."""
    archive_here(tmp_path / "archive", [schema_line(), state_line(1)])
    assert (0, None) == (stats(tmp_path / "archive")["messages"], stats(tmp_path / "archive")["first"])
    assert 0 == hashfs("stats", tmp_path / "archive").exit_code


def test_lines_are_those_of_the_journal(path: Path) -> None:
    """As JSON they are byte for byte what is there, so that the chain can be followed in the output too."""
    assert (path / JOURNAL).read_text() == hashfs("log", path, "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "events"),
    [
        ([], ["quarantined", "archived", "archived", "archived", "archived", "variant", "commit", "commit"]),
        (["--account", "work"], ["archived"]),
        (["--account", "gmail"], ["quarantined", "archived", "archived", "archived", "variant"]),
        (["--event", "commit"], ["commit", "commit"]),
        (["--event", "variant", "--account", "work"], []),
        (["--since", "2999-01-01"], []),
        (["--until", "2000-01-01T00:00:00Z"], []),
        (["--since", "2000-01-01", "--until", "2999-01-01", "--event", "variant"], ["variant"]),
        (["--run", "nobody"], []),
    ],
)
def test_parts(path: Path, arguments: list[str], events: list[str]) -> None:
    """By account, event, time, run, and any of them together."""
    assert events == [each["event"] for each in log(path, *arguments)]


def test_run(path: Path) -> None:
    """The beginning of a run's id is enough."""
    last = log(path)[-1]["run"]
    assert ["commit"] == [each["event"] for each in log(path, "--run", last[:8])]


def test_times_are_exact(path: Path) -> None:
    """From a moment on, and before it: nothing twice, nothing missing."""
    lines = log(path)
    middle = lines[-1]["at"]
    assert [each["seq"] for each in lines] == [
        each["seq"] for each in (*log(path, "--until", middle), *log(path, "--since", middle))
    ]


def test_several_journals(path: Path) -> None:
    """Merged by time, each in its own order."""
    archive_here(path, [schema_line(), record_line(30)], journal="import")
    archive_here(path, [schema_line(), record_line(31)])
    lines = [line.split() for line in hashfs("log", path).stdout.splitlines()]
    assert ["live-poll", "import", "import", "live-poll", "live-poll"] == [
        line[2].split(":")[0] for line in lines[-5:]
    ]
    assert sorted(line[0] for line in lines) == [line[0] for line in lines]


def test_log_for_people(path: Path) -> None:
    """Time, run, place, event, and where the message was seen; no personal data."""
    output = hashfs("log", path).stdout
    assert 8 == len(output.splitlines())
    assert "(folder INBOX, uid 3)" in output
    assert "5 messages, 5 archived, 1 variants, 0 duplicates, 1 quarantined" in output
    assert not [secret for secret in SECRETS if secret in output]


def test_broken_chain_is_named(path: Path) -> None:
    """The lines are shown all the same."""
    content = (path / JOURNAL).read_bytes()
    (path / JOURNAL).write_bytes(content.replace(b'"folder":"INBOX"', b'"folder":"OUTBX"', 1) + b'{"torn')
    result = hashfs("log", path)
    assert 8 == len(result.stdout.splitlines())
    assert f"{JOURNAL}:3" in result.stderr
    assert sha256(content).hexdigest() not in result.stderr


def test_journal_that_cannot_be_read(path: Path) -> None:
    """It is named, and the other journals are shown."""
    (path / "_journal/x.jsonl").mkdir()
    result = hashfs("log", path)
    assert (0, 8) == (result.exit_code, len(result.stdout.splitlines()))
    assert "unreadable: _journal/x.jsonl: expected to read it, found Is a directory" in result.stderr


def test_account_that_is_not_there(path: Path) -> None:
    """Named with those that are; one without lines in the time asked for is none of that kind."""
    result = hashfs("log", path, "--account", "nope")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "account: expected gmail or work, found another name" in result.stderr
    assert 0 == hashfs("log", path, "--account", "work", "--since", "2999-01-01").exit_code


def test_account_that_only_the_journal_knows(path: Path) -> None:
    """Its lines are shown, though its directory is lost."""
    shutil.rmtree(path / "work")
    result = hashfs("log", path, "--account", "work")
    assert (0, 1) == (result.exit_code, len(result.stdout.splitlines()))


@pytest.mark.parametrize("arguments", [["--since", "yesterday"], ["--event", "lunch"], ["--until", ""]])
def test_usage(path: Path, arguments: list[str]) -> None:
    """What cannot be understood is exit 2."""
    assert 2 == hashfs("log", path, *arguments).exit_code
