"""Where the target's tests write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.disks import in_memory
from tests.target.running import Running

ON_DISK = ("test_run", "test_crash", "test_crash_for_real", "test_lease")
"""Modules that meet the real file system; the others test decisions, and need not wait for a disk."""


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory of the test's own, in memory where there is such a place."""
    if request.path.stem in ON_DISK:
        yield tmp_path
        return
    with in_memory() as directory:
        yield directory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the archive is to be."""
    return tmp_path / "archive"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Any]:
    """Start a target that runs beside the test; it ends with the test."""
    started: list[Running] = []

    def start(path: Path, **config: Any) -> Running:
        started.append(Running(path, tmp_path, **config))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        for pipe in (each.stdin, each.stdout, each.stderr):
            pipe.close()
