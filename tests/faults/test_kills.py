"""SIGKILL, SIGTERM and SIGINT at random moments, to the tap, the target or both."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import FAULTS
from tests.faults.matrix import Case, Live
from tests.faults.sources import Source, undisturbed
from tests.faults.warm import Warm
from tests.servers.dovecot import Dovecot
from tests.tap.runs import imap_account, mail
from tests.waiting import children, wait_until

VICTIMS = ("target", "both", "tap")


@pytest.mark.parametrize("lease", [True, False], ids=["lease", "no lease"])
@pytest.mark.parametrize(
    "signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name
)
def test_random_moments(
    case: Callable[..., Case], source: Source, signum: signal.Signals, lease: bool
) -> None:
    """Whenever the pair is ended: no promise is broken, and the next run makes all as if nothing had been."""
    for number in range(FAULTS // 2):
        chance = random.Random(f"{signum.name}{number}{lease}")
        broken = case(str(number), lease=lease, commit_messages=chance.choice([1, 7, 20, 500]))
        live = broken.start()
        wait_for_journal(live, chance.randrange(source.journal_bytes))
        time.sleep(chance.random() / 100)  # a random moment, not a rendezvous
        victim = VICTIMS[number % 3]
        for each in {"tap": [live.tap], "target": [live.target], "both": [live.tap, live.target]}[victim]:
            each.send_signal(signum)
        ran = live.finish()
        ended = {"tap": [ran.tap], "target": [ran.target], "both": [ran.tap, ran.target]}[victim]
        # The signal itself ends an interpreter that is starting or, all done, on its way out.
        assert {0, -signum, 128 + signum} >= {*ended}, ran
        broken.after_fault(ran)
        broken.restart(source.expected)
        shutil.rmtree(broken.directory)


@pytest.fixture(scope="module")
def much(tmp_path_factory: pytest.TempPathFactory, warm: Warm, dovecot: Dovecot) -> Source:
    """A mailbox so large that other processes parse most of it."""
    someone = dovecot.new_user()
    for folder, numbers in (("INBOX", range(800)), ("Work", range(800, 900))):
        dovecot.fill(someone, folder, [mail(number, body=f"{number}\r\n" * 500) for number in numbers])
    return undisturbed(tmp_path_factory.mktemp("much"), warm, [imap_account(dovecot, someone)])


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=lambda each: each.name)
def test_tap_with_parser_processes(memory: Path, warm: Warm, much: Source, signum: signal.Signals) -> None:
    """A tap that lets others parse has asked for more than it handed over: no state says so."""
    for number in range(FAULTS // 5):
        chance = random.Random(f"{signum.name}{number}")
        broken = Case(memory / str(number), warm, much.accounts, much.promised, workers=2)
        live = broken.start()
        wait_until(lambda tap=live.tap: children(tap.pid) or tap.poll() is not None)
        time.sleep(chance.random() / 4)  # a random moment, not a rendezvous
        live.tap.send_signal(signum)
        ran = live.finish()
        assert {0, -signum, 128 + signum} >= {ran.tap}, ran
        broken.after_fault(ran)
        broken.restart(much.expected)
        shutil.rmtree(broken.directory)


def wait_for_journal(live: Live, size: int) -> None:
    """Return once the journal is that long, or the target is over."""
    path = live.case.path / "_journal/live-poll.jsonl"
    wait_until(
        lambda: live.target.poll() is not None or (path.exists() and path.stat().st_size >= size), seconds=120
    )
