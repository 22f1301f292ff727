"""Parser processes: the same records in the same order, and a bookmark that never runs ahead of them."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox.errors import Stopped
from tap_mailbox.handover import CHUNK_MESSAGES, DIRECT_MESSAGES, LARGE_OCTETS, Ahead, _octets
from tap_mailbox.message import Content, JsonMessage, RawMessage, Seen
from tap_mailbox.parser import framed
from tap_mailbox.parsers import Parsers
from tap_mailbox.record import build_record
from tap_mailbox.stop import Stop
from tests.tap.runs import mail, timeless

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
    ahead.close()
    assert {} == standing
    assert not parsers.started


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


def test_message_too_deep_to_be_sent(parsers: Parsers, caplog: pytest.LogCaptureFixture) -> None:
    """The tap parses what cannot be pickled; later answers go to their own messages, and no process is lost."""
    deep: Any = "bottom"
    for _ in range(5_000):
        deep = [deep]
    made = messages(300)
    made[150] = JsonMessage(
        {"message_id": "<deep@x>", "body_text": "x", "more": deep}, Seen(protocol="files")
    )
    ahead = Ahead({}, OPTIONS, parsers)
    records = [record for each in made for record in ahead.put(each)]
    records += ahead.rest()
    assert [timeless(each) for each in records] == expected(made)
    assert [] == caplog.messages


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"x" * 7,
        framed([]),
        framed([{}] * 99),
        framed(7),
        (9).to_bytes(8) + b"cnowhere\nx\n.",
        b"\xff" * 20,
    ],
    ids=["end", "cut", "none", "too many", "no list", "unknown", "endless"],
)
def test_process_out_of_its_mind(
    parsers: Parsers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: bytes
) -> None:
    """What is no answer is believed by nobody: the tap parses by itself."""
    (tmp_path / "answer").write_bytes(answer)
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nhead -c 9 >/dev/null\ncat '{tmp_path / 'answer'}'\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    made = messages(200)
    ahead = Ahead({}, OPTIONS, parsers)
    records = [record for each in made for record in ahead.put(each)]
    records += ahead.rest()
    assert [timeless(each) for each in records] == expected(made)


def test_slow_process(parsers: Parsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first chunk takes its time the others wait for it, and no more of them than was said."""
    made = [each for each in messages(800) if _octets(each) <= LARGE_OCTETS]
    ahead = Ahead({}, OPTIONS, parsers)
    records = [record for each in made[:DIRECT_MESSAGES] for record in ahead.put(each)]
    parsers._start()
    slow = parsers._processes[0]._popen.pid
    os.kill(slow, signal.SIGSTOP)
    lengths = []

    def wait(wait: Any = parsers.wait) -> None:
        lengths.append(len(ahead._chunks))
        if lengths.count(parsers.ahead + 1) > 3:
            os.kill(slow, signal.SIGCONT)
        wait()

    monkeypatch.setattr(parsers, "wait", wait)
    records += [record for each in made[DIRECT_MESSAGES:] for record in ahead.put(each)]
    records += ahead.rest()
    assert parsers.ahead + 1 == max(lengths)
    assert [timeless(each) for each in records] == expected(made)


@pytest.mark.parametrize("kind", ["octets", "text", "attachment"])
def test_large_messages_stay_here(parsers: Parsers, kind: str) -> None:
    """What would lie in memory several times on its way is parsed by the tap itself."""
    ahead = Ahead({}, OPTIONS, parsers)
    for each in messages(DIRECT_MESSAGES + CHUNK_MESSAGES):
        list(ahead.put(each))
    assert parsers.started
    much, seen = b"x" * (LARGE_OCTETS + 1), Seen(protocol="files")
    large = {
        "octets": RawMessage(much, seen),
        "text": JsonMessage({"body_text": much.decode()}, seen),
        "attachment": JsonMessage(
            {}, seen, attachments=(Content(octets=much, filename=None, content_type="a/b"),)
        ),
    }
    list(ahead.put(large[kind]))
    assert not ahead.on_its_way


def test_processes_are_told_no_secrets(parsers: Parsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their environment has what Python needs, and none of what configures the tap."""
    for name in ("TAP_MAILBOX_KEY", "TAP_MAILBOX_ACCOUNTS", "MELTANO_DATABASE_URI", "WORK_PASSWORD"):
        monkeypatch.setenv(name, "fake-secret")
    parsers._start()
    for process in parsers._processes:
        told = Path(f"/proc/{process._popen.pid}/environ").read_bytes()
        assert b"PYTHONPATH=" in told
        assert b"fake-secret" not in told
