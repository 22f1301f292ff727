"""Where the target's tests write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.target.helpers import MEMORY

ON_DISK = ("test_run", "test_crash")
"""Modules that meet the real file system; the others test decisions, and need not wait for a disk."""


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory of the test's own, in memory where there is such a place."""
    if MEMORY is None or request.path.stem in ON_DISK:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        yield Path(directory)
