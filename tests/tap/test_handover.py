"""Parser processes: the same records in the same order, and a bookmark that never runs ahead of them."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox import parsers as module
from tap_mailbox import record, streams
from tap_mailbox.errors import AccountError, Stopped
from tap_mailbox.handover import CHUNK_MESSAGES, DIRECT_MESSAGES, LARGE_OCTETS, Ahead, _octets
from tap_mailbox.message import Content, JsonMessage, RawMessage, Seen
from tap_mailbox.parser import framed
from tap_mailbox.parsers import Parsers
from tap_mailbox.record import build_record
from tap_mailbox.sources.imap.source import ImapSource
from tap_mailbox.stop import Stop
from tests.servers.imap_script import ImapScript, Mailbox, Message
from tests.tap.runs import Run, imap_account, mail, run_tap
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


@pytest.mark.parametrize(("cores", "processes"), [(1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (64, 3)])
def test_automatic(monkeypatch: pytest.MonkeyPatch, cores: int, processes: int) -> None:
    """The tap and the target have a core each before anything else gets one."""
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _pid: range(cores), raising=False)
    assert processes == module.automatic()


@pytest.fixture
def box(make_imap_script: Callable[..., ImapScript]) -> list[dict[str, Any]]:
    """Two accounts of 600 messages each; the bookmark has the number of the last one handed over."""
    mails = {number: Message(mail(number, body="x" * (number % 7) * 10_000)) for number in range(1, 601)}
    server = make_imap_script({"INBOX": Mailbox(mails)})
    return [imap_account(server, name=name) for name in ("first", "second")]


def covered(state: dict[str, Any], name: str) -> int:
    """Return how many messages of an account a state covers."""
    account = state["bookmarks"]["imap_messages"]["accounts"].get(name) or {}
    return int(account.get("folders", {}).get("INBOX", {}).get("last_uid", 0))


def numbers(run: Run, name: str) -> list[int]:
    """Return the messages of an account in the order in which they were handed over."""
    return [record["source"]["uid"] for record in run.records if record["account"] == name]


def check_states(run: Run, *, exactly: bool = False) -> None:
    """No state covers more than the records before it; *exactly*: and none less."""
    seen = {"first": 0, "second": 0}
    for line in run.lines:
        if line["type"] == "RECORD":
            seen[line["record"]["account"]] += 1
        elif line["type"] == "STATE":
            for name, count in seen.items():
                assert covered(line["value"], name) <= count
                assert covered(line["value"], name) == count or not exactly


def check_first_alone_failed(run: Run) -> None:
    """The first account gave its first 333 messages, the second one all of them, in order; no state says more."""
    assert 3 == run.code
    assert list(range(1, 334)) == numbers(run, "first")
    assert list(range(1, 601)) == numbers(run, "second")
    check_states(run)


def test_whole_run(box: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and the last state are those of a run without processes, a second run reads nothing; all end."""
    pids = []
    end = module._Process.end
    monkeypatch.setattr(module._Process, "end", lambda self: pids.append(str(self._popen.pid)) or end(self))
    alone, together = run_tap(box), run_tap(box, workers=2)
    assert [False, False] == [runs(pid) for pid in pids]
    assert (0, 0) == (alone.code, together.code)
    assert [timeless(each) for each in alone.records] == [timeless(each) for each in together.records]
    assert (600, 600) == tuple(covered(together.state, name) for name in ("first", "second"))
    assert [] == run_tap(box, together.state, workers=2).records


@pytest.mark.parametrize(
    ("limit", "value", "states"), [("STATE_MESSAGES", 70, 14), ("STATE_SECONDS", 0, 1_000)]
)
def test_states_in_between(
    box: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, limit: str, value: int, states: int
) -> None:
    """As many as without processes, though what is on its way is waited for; each says what was handed over."""
    monkeypatch.setattr(streams, limit, value)
    run = run_tap(box, workers=2)
    assert len(run.states) >= states
    check_states(run, exactly=True)


@pytest.mark.parametrize(
    "error", [AccountError("the disk is gone"), ValueError("a defect")], ids=["known", "not"]
)
def test_source_that_fails(
    box: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """All that was read before is handed over, the state says so, and the next account is read as ever."""
    everything = ImapSource.messages

    def broken(source: ImapSource) -> Iterator[Any]:
        for number, message in enumerate(everything(source)):
            if number == 333 and source._account.name == "first":
                raise error
            yield message

    monkeypatch.setattr(ImapSource, "messages", broken)
    run = run_tap(box, workers=3)
    check_first_alone_failed(run)
    assert (333, 600) == (covered(run.state, "first"), covered(run.state, "second"))


def test_account_that_leaves_something(box: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser's defect ends its account before that message; no answer reaches the next account."""
    built = record.build_record

    def broken(message: Any, **options: Any) -> dict[str, Any]:
        if isinstance(message, Unreadable):
            raise TypeError
        return built(message, **options)

    # In the processes the message is none: they answer that they cannot, and the tap meets the defect.
    everything = ImapSource.messages

    def wrong(source: ImapSource) -> Iterator[Any]:
        for number, message in enumerate(everything(source)):
            mine = number == 333 and source._account.name == "first"
            yield Unreadable(message.octets, message.seen) if mine else message

    monkeypatch.setattr(ImapSource, "messages", wrong)
    monkeypatch.setattr(record, "build_record", broken)
    run = run_tap(box, workers=2)
    check_first_alone_failed(run)
    assert covered(run.state, "first") <= 333
    assert 600 == covered(run.state, "second")


class Unreadable(RawMessage):
    """A message that no other process can read."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


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


def test_ends_with_the_tap(box: list[dict[str, Any]], tmp_path: Path) -> None:
    """A tap that is killed leaves no process; and none takes its modules from the working directory."""
    (tmp_path / "pickle.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
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
        assert os.read(tap.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
        tap.kill()
    wait_until(lambda: not any(map(runs, started)))
    assert not (tmp_path / "imported").exists()
