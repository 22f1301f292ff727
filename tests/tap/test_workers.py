"""Parser processes in whole runs: how many, records and states as without them, and nothing is left running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox import parsers as module
from tap_mailbox import record, streams
from tap_mailbox.errors import AccountError
from tap_mailbox.message import RawMessage
from tap_mailbox.sources.imap.source import ImapSource
from tests.servers.imap_script import ImapScript, Mailbox, Message
from tests.tap.runs import Run, imap_account, mail, run_tap, timeless
from tests.waiting import children, runs, wait_until


@pytest.mark.parametrize(("cores", "processes"), [(1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (64, 3)])
def test_automatic(monkeypatch: pytest.MonkeyPatch, cores: int, processes: int) -> None:
    """The tap and the target have a core each before anything else gets one."""
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _pid: range(cores), raising=False)
    monkeypatch.setattr(module, "CPU_LIMIT", Path("nowhere"))
    assert processes == module.automatic()


@pytest.mark.parametrize(
    ("limit", "processes"),
    [("max 100000", 3), ("400000 100000", 2), ("350000 100000", 1), ("50000 100000", 0), ("", 3), ("1", 3)],
)
def test_automatic_in_a_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, processes: int
) -> None:
    """It sees all cores of its host, and counts those it may use."""
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _pid: range(64), raising=False)
    monkeypatch.setattr(module, "CPU_LIMIT", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(limit and f"{limit}\n")
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
