"""`meltano run` killed, alone or with its children: the state it had stored promises nothing that is not there."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import FAULTS
from tests.faults.matrix import Case, listing
from tests.faults.sources import Source
from tests.faults.warm import Warm
from tests.pipeline.test_meltano import BIN, RUN, Project
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("victim", ["Meltano"] if FAULTS < 200 else ["Meltano", "all of them"])
def test_killed(tmp_path: Path, warm: Warm, source: Source, victim: str) -> None:
    """kill -9 in the middle of a run; the next one completes the archive."""
    project = Project(tmp_path, source.accounts)
    environment = project.environment | {"TARGET_HASHFS_COMMIT_MESSAGES": "1"}
    with (tmp_path / "meltano.log").open("w") as log:
        running = subprocess.Popen(
            [BIN / "meltano", *RUN], cwd=project.root, env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
    journal = project.archive / "_journal/live-poll.jsonl"
    wait_until(
        lambda: running.poll() is not None or (journal.exists() and journal.stat().st_size > 10_000), 90
    )
    assert running.poll() is None, (tmp_path / "meltano.log").read_text()
    if victim == "Meltano":
        running.kill()
    else:
        os.killpg(running.pid, signal.SIGKILL)
    assert -9 == running.wait(20)
    wait_until(lambda: not any_left(running.pid))
    found = listing(project.archive)
    assert {
        name: each for name, each in found.items() if not name.endswith(".tmp")
    }.items() <= source.expected.items()
    project.meltano(RUN[0], "--force", *RUN[1:])  # Meltano takes the dead run for a live one for five minutes
    assert source.expected == listing(project.archive)
    case = Case(tmp_path / "case", warm, source.accounts, source.promised, archive=project.archive)
    case.check_promises([project.state()])
    case.verify()


def any_left(group: int) -> bool:
    """Whether a process of the group is still there: tap and target end by themselves."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
