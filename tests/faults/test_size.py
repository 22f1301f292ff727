"""Much of everything: 5,000 folders, and one directory with more files than anyone should have."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.conftest import FAULTS
from tests.faults.matrix import Case, listing
from tests.faults.sources import a_tree, undisturbed
from tests.faults.warm import Warm
from tests.tap.runs import files_account, mail
from tests.waiting import wait_until

CROWD = 20_000 if FAULTS < 200 else 1_000_000


def test_five_thousand_folders(memory: Path, warm: Warm) -> None:
    """Killed in the middle, taken up with the last state: every folder's message is there, each once."""
    broken = Case(
        memory / "case", warm, a_tree(memory / "mail", folders=5000, messages=1), commit_messages=500
    )
    live = broken.start()
    journal = broken.path / "_journal/live-poll.jsonl"
    wait_until(lambda: journal.exists() and journal.stat().st_size > 2_000_000)
    live.target.send_signal(signal.SIGKILL)
    broken.after_fault(live.finish())
    assert broken.state is not None
    ran = broken.run()
    assert (0, 0) == (ran.tap, ran.target), ran
    accounts = ran.states[-1]["bookmarks"]["file_messages"]["accounts"]
    assert 5000 == len(accounts["old-mac"]["paths"])
    found = [name for name in listing(broken.path) if name.endswith(".json")]
    assert 5000 == len(found)
    broken.verify()


@pytest.mark.timeout(120 if FAULTS < 200 else 3600)
def test_crowded_directory(memory: Path, warm: Warm) -> None:
    """A month with very many files takes a new message, and a killed run in it is recovered, as quickly as ever."""
    tree = memory / "mail"
    tree.mkdir()
    for number in range(100):
        (tree / f"{number}.eml").write_bytes(mail(number))
    accounts = [files_account(tree)]
    whole = undisturbed(memory / "whole", warm, accounts)
    broken = Case(memory / "case", warm, accounts, whole.promised, commit_messages=10)
    month = broken.path / "old-mac/2026/06"
    month.mkdir(parents=True, mode=0o700)
    for directory in (month.parent, month.parent.parent, broken.path):
        directory.chmod(0o700)
    for number in range(CROWD):
        (month / f"{number:016x}.json").touch(0o600)
    live = broken.start()
    wait_until(lambda: any((month / name.rpartition("/")[2]).exists() for name in whole.expected))
    live.target.send_signal(signal.SIGKILL)
    ran = live.finish()
    broken.check_promises(ran.states)
    broken.state = ran.states[-1] if ran.states else None
    ran = broken.run()
    assert (0, 0) == (ran.tap, ran.target), ran
    found = listing(broken.path)
    assert whole.expected.items() <= found.items()
    assert len(found) == len(whole.expected) + CROWD
