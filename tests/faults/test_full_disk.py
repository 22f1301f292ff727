"""Disks that are really full, of bytes or of inodes, or read-only: mounts of a namespace of the test's own."""

from __future__ import annotations

import re

import pytest

from tests.faults.islands import Island
from tests.faults.sources import Source

ROOMY = ("size=64m", "nr_inodes=100000")


@pytest.mark.parametrize(
    ("limits", "lease"),
    [
        ("size=8k", True),  # no room for more than the marker
        ("size=60k", False),
        ("size=400k", True),
        ("nr_inodes=2", True),
        ("nr_inodes=5", False),
        ("nr_inodes=100", True),
    ],
)
def test_full(island: Island, source: Source, limits: str, lease: bool) -> None:
    """Exit 1 and a line that says so; with room again the next run makes all as if nothing had been."""
    island.mount(limits)
    broken = island.case(source, lease=lease)
    ran = broken.run()
    assert 1 == ran.target, ran
    assert re.search("disk is (nearly )?full", ran.target_log)
    broken.after_fault(ran)
    island.remount(*ROOMY)
    broken.restart(source.expected)


def test_reserve_is_kept(island: Island, source: Source) -> None:
    """min_free_bytes stops a run before the disk is full."""
    island.mount("size=700k")
    broken = island.case(source, min_free_bytes=200_000)
    ran = broken.run()
    assert 1 == ran.target, ran
    assert "nearly full" in ran.target_log
    broken.after_fault(ran)
    island.remount(*ROOMY)
    broken.restart(source.expected)


def test_read_only(island: Island, source: Source) -> None:
    """A disk that came up read-only after its first run: exit 1, nothing acknowledged."""
    island.mount(*ROOMY)
    broken = island.case(source)
    broken.run()
    island.do("mount", "-o", "remount,bind,ro", str(island.disk))
    ran = broken.run()
    assert (1, []) == (ran.target, ran.states)
    assert "read-only" in ran.target_log
    broken.after_fault(ran)
    island.do("mount", "-o", "remount,bind,rw", str(island.disk))
    broken.restart(source.expected)
