"""What the cases of the fault matrix share: a warm start, a source with its undisturbed archive, a scale."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.disks import in_memory
from tests.faults.islands import UNPRIVILEGED, Island, require_namespace
from tests.faults.matrix import Case
from tests.faults.sources import Source, a_tree, undisturbed
from tests.faults.warm import Warm

FAULTS = int(os.environ.get("FAULTS", "20"))
"""Random kills of each signal; the nightly run asks for 200."""


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Starts processes without the time imports take."""
    with Warm() as server:
        yield server


@pytest.fixture(scope="session")
def namespace() -> Iterator[Warm]:
    """Starts processes in a mount namespace of their own."""
    require_namespace(UNPRIVILEGED)
    with Warm(*UNPRIVILEGED) as server:
        yield server


@pytest.fixture
def island(tmp_path: Path, namespace: Warm) -> Island:
    """Mount points in it."""
    return Island(tmp_path, namespace)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Source:
    """A tree of files to read."""
    directory = tmp_path_factory.mktemp("source")
    return undisturbed(directory / "undisturbed", warm, a_tree(directory / "mail"))


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory where there is such a place: a kill leaves the page cache as it is."""
    with in_memory() as directory:
        yield directory


@pytest.fixture
def case(memory: Path, warm: Warm, source: Source) -> Callable[..., Case]:
    """Make a case over the common source, by its name; *target* is configuration."""

    def make(name: str = "case", **target: Any) -> Case:
        return Case(memory / name, warm, source.accounts, source.promised, **target)

    return make
