"""Parser processes: the same records in the same order, and a bookmark that never runs ahead of them."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox import parsers as module
from tap_mailbox.errors import Stopped
from tap_mailbox.handover import CHUNK_MESSAGES, DIRECT_MESSAGES, LARGE_OCTETS, Ahead
from tap_mailbox.message import JsonMessage, RawMessage, Seen
from tap_mailbox.parsers import Parsers
from tap_mailbox.record import build_record
from tap_mailbox.stop import Stop
from tests.tap.runs import files_account, mail, run_tap
from tests.waiting import children, runs, wait_until

OPTIONS = {"account": "old-mac", "email": None, "with_raw": True, "limits": {}}


@pytest.fixture
def stop() -> Stop:
    """No signal yet."""
    return Stop()


@pytest.fixture
def parsers(stop: Stop) -> Iterator[Parsers]:
    """Two processes."""
    both = Parsers(2, stop)
    yield both
    both.close()


def messages(count: int) -> list[RawMessage | JsonMessage]:
    """Return messages of many sizes, now and then one without octets, and one larger than any pipe."""
    chance = random.Random(1)
    made: list[RawMessage | JsonMessage] = []
    for number in range(count):
        seen = Seen(protocol="files", path=str(number), internal_date=datetime(2026, 6, 5, tzinfo=UTC))
        size = LARGE_OCTETS + 1 if number == count // 2 else chance.choice([10, 1_000, 100_000])
        if number % 50 == 49:
            made.append(JsonMessage({"message_id": f"<{number}@x>", "body_text": "x" * size}, seen))
        else:
            made.append(RawMessage(mail(number, body="x" * size), seen))
    return made


def expected(made: list[RawMessage | JsonMessage]) -> list[dict[str, Any]]:
    """Return the records of messages, parsed here."""
    return [timeless(build_record(each, **OPTIONS, fetched_at=datetime.now(UTC))) for each in made]


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without the time of the run."""
    return record | {"source": record["source"] | {"fetched_at": None}}


def test_same_records_in_the_same_order(parsers: Parsers) -> None:
    """What several processes parse comes out as if the tap had parsed it, message by message."""
    made = messages(400)
    ahead = Ahead({}, OPTIONS, parsers)
    records = [record for each in made for record in ahead.put(each)]
    assert len(records) < len(made), "nothing was on its way: this test shows nothing"
    records += ahead.rest()
    assert [timeless(each) for each in records] == expected(made)


def test_few_messages_start_nothing(parsers: Parsers) -> None:
    """The everyday poll pays for no process."""
    ahead = Ahead({}, OPTIONS, parsers)
    for each in messages(DIRECT_MESSAGES):
        assert 1 == len(list(ahead.put(each)))
    assert not parsers.started


def test_state_follows_what_was_handed_over(parsers: Parsers) -> None:
    """The Singer state shows the source's bookmark when nothing is on its way, and never before."""
    standing: dict[str, Any] = {"kept": 1}
    ahead = Ahead(standing, OPTIONS, parsers)
    made = messages(DIRECT_MESSAGES + 3 * CHUNK_MESSAGES)
    handed_over = 0
    for number, each in enumerate(made):
        ahead.settle()
        assert standing.get("read", 0) <= handed_over
        assert standing.get("read", 0) == handed_over or number > DIRECT_MESSAGES
        for _ in ahead.put(each):
            ahead.settle()
            assert standing.get("read", 0) <= handed_over
            handed_over += 1
        ahead.bookmark["read"] = number + 1
    for _ in ahead.rest():
        ahead.settle()
        assert standing["read"] <= handed_over
        handed_over += 1
    ahead.settle()
    assert {"kept": 1, "read": len(made)} == standing
    ahead.bookmark["read"] = 0
    assert len(made) == standing["read"], "the state shares nothing with what the source changes next"


def test_process_that_dies(parsers: Parsers, caplog: pytest.LogCaptureFixture) -> None:
    """One killed process, then the other: each time a warning, and no record is missing or out of order."""
    made = messages(400)
    ahead = Ahead({}, OPTIONS, parsers)
    records = []
    for number, each in enumerate(made):
        records += ahead.put(each)
        if number in {200, 300}:
            os.kill(parsers._processes[0]._popen.pid, signal.SIGKILL)
    records += ahead.rest()
    assert [timeless(each) for each in records] == expected(made)
    assert ["exit code -9" in each.message for each in caplog.records] == [True, True]


def test_process_that_cannot_be_started(
    parsers: Parsers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The tap parses by itself, and says why."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    made = messages(200)
    ahead = Ahead({}, OPTIONS, parsers)
    records = [record for each in made for record in ahead.put(each)]
    records += ahead.rest()
    assert [timeless(each) for each in records] == expected(made)
    assert ["0 of 2 parser processes could be started (No such file or directory)"] == caplog.messages


def test_defect_of_the_parser(parsers: Parsers) -> None:
    """What no process can parse fails in the tap, after the records before it; the state stays before them."""
    standing: dict[str, Any] = {}
    ahead = Ahead(standing, OPTIONS, parsers)
    made = messages(DIRECT_MESSAGES + 10)
    wrong: Any = RawMessage(None, Seen(protocol="files"))  # type: ignore[arg-type]
    records = [record for each in made for record in ahead.put(each)]
    ahead._chunk.append(wrong)
    ahead.bookmark["read"] = len(made) + 1
    with pytest.raises(AttributeError):
        records.extend(ahead.rest())
    assert [timeless(each) for each in records] == expected(made)
    with pytest.raises(AttributeError):
        list(ahead.rest())
    ahead.settle()
    assert {} == standing


def test_signal_while_all_are_busy(parsers: Parsers, stop: Stop) -> None:
    """A signal ends the wait for a process, and what is on its way stays out of the state."""
    standing: dict[str, Any] = {}
    ahead = Ahead(standing, OPTIONS, parsers)
    made = messages(DIRECT_MESSAGES + 1)
    for each in made:
        list(ahead.put(each))
    parsers._start()
    for process in parsers._processes:
        os.kill(process._popen.pid, signal.SIGSTOP)
    ahead.bookmark["read"] = 1
    stop.signum = signal.SIGTERM
    records = itertools.chain.from_iterable(map(ahead.put, itertools.cycle(made)))
    with pytest.raises(Stopped):
        list(records)
    ahead.settle()
    assert {} == standing


@pytest.mark.parametrize(("cores", "processes"), [(1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (64, 3)])
def test_automatic(monkeypatch: pytest.MonkeyPatch, cores: int, processes: int) -> None:
    """The tap and the target have a core each before anything else gets one."""
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _pid: range(cores), raising=False)
    assert processes == module.automatic()


@pytest.fixture
def box(tmp_path: Path) -> list[dict[str, Any]]:
    """An account of 600 messages, more than a STATE in between covers."""
    path = tmp_path / "mail"
    path.mkdir()
    for number in range(600):
        (path / f"{number:04}.eml").write_bytes(mail(number, body="x" * (number % 7) * 10_000))
    return [files_account(path, name="old-mac")]


def test_whole_run(box: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and the last state are those of a run without processes, a second run reads nothing; all end."""
    pids = []
    end = module._Process.end
    monkeypatch.setattr(module._Process, "end", lambda self: pids.append(str(self._popen.pid)) or end(self))
    alone, together = run_tap(box, workers=0), run_tap(box, workers=2)
    assert [False, False] == [runs(pid) for pid in pids]
    assert (0, 0) == (alone.code, together.code)
    assert [timeless(each) for each in alone.records] == [timeless(each) for each in together.records]
    assert alone.state == together.state
    assert [] == run_tap(box, together.state, workers=2).records


def test_ends_with_the_tap(box: list[dict[str, Any]], tmp_path: Path) -> None:
    """A tap that is killed leaves no process; and none takes its modules from the working directory."""
    (tmp_path / "pickle.py").write_text("raise SystemExit")
    (tmp_path / "tap.json").write_text(json.dumps({"accounts": box, "workers": 2}))
    tap = subprocess.Popen(
        [sys.executable, "-P", "-m", "tap_mailbox", "--config", "tap.json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with tap:
        while not (started := children(tap.pid)):
            assert os.read(tap.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]  # it waits for room
        assert all(map(runs, started))
        tap.kill()
    wait_until(lambda: not any(map(runs, started)))
