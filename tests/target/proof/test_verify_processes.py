"""`hashfs verify` in one process or several: the same findings in the same order, and flat memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import tracemalloc
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from target_hashfs.proof.workers import AHEAD, workers
from tests.target.contents import looks
from tests.target.lines import record_line, schema_line, stream_of
from tests.target.proof.commands import findings_of
from tests.target.running import archive_here, environment


def test_two_processes_find_the_same(path: Path) -> None:
    """In the same order, too."""
    archive_here(path, stream_of(400))
    for name in sorted(looks(path))[::7]:
        if name.endswith(".json"):
            Path(name).chmod(0o640)
    one = findings_of(path, jobs=1)
    assert len(one) > 50
    assert one == findings_of(path, jobs=2)


def test_as_a_command(path: Path) -> None:
    """The whole of it in processes of its own, in the directory itself, without a bar on a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "target_hashfs.cli", "verify", "--jobs", "2"],
        cwd=path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("clean: 5 messages")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_full_directory_for_temporary_files(path: Path, tmp_path: Path, jobs: str) -> None:
    """One line names it and TMPDIR; nothing is said about the archive."""

    def allow_small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    done = subprocess.run(
        [sys.executable, "-m", "target_hashfs.cli", "verify", "--jobs", jobs, path],
        env=environment() | {"TMPDIR": str(tmp_path)},
        preexec_fn=allow_small_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert f"temporary files ({tmp_path})" in done.stderr
    assert "set TMPDIR" in done.stderr
    assert ["archive"] == [each.name for each in tmp_path.iterdir()]


@pytest.mark.parametrize("jobs", [1, 2])
def test_few_items_are_under_way(jobs: int) -> None:
    """However many there are, no more are taken than the processes need; results keep their order."""
    taken = 0

    def items() -> Any:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield number

    with workers(partial(nullcontext, abs), jobs) as work:
        for count, result in enumerate(work(items())):
            assert count == result
            assert taken - count <= AHEAD * jobs
    assert 200 == taken


def test_memory_is_flat(tmp_path: Path) -> None:
    """Ten times the journal lines and files take no more memory: counted, after what the first run loads."""
    peaks = []
    for number, messages in enumerate([100, 300, 3000]):
        path = tmp_path / str(number)
        archive_here(
            path,
            [
                schema_line(),
                *(record_line(each, eml=False, body_text="x" * 2000) for each in range(messages)),
            ],
        )
        tracemalloc.start()
        assert [] == findings_of(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # What grows is the names of one directory: some 100 bytes each.
    assert peaks[2] - peaks[1] < 2700 * 400
