"""The archive's disk goes away in the middle of a run: unmounted, covered by another, or off the bus."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.islands import PRIVILEGED, Island, require_namespace
from tests.faults.matrix import Case, Live
from tests.faults.sources import Source
from tests.faults.warm import Warm
from tests.servers.programs import require
from tests.waiting import wait_until

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)


def in_the_middle(broken: Case, happens: Callable[[], None]) -> Live:
    """Start the pair, stop its target after the first commits, let something happen, let it go on."""
    live = broken.start()
    journal = broken.path / "_journal/live-poll.jsonl"
    wait_until(lambda: journal.exists() and journal.stat().st_size > 20_000)
    live.target.send_signal(signal.SIGSTOP)
    assert live.target.poll() is None, "the run is over already"
    happens()
    live.target.resume()
    return live


def unmounted(island: Island) -> None:
    """Its mount point is an empty directory."""
    island.unmount()


def covered(island: Island) -> None:
    """Another disk, empty, is mounted over it."""
    island.do("mount", "-t", "tmpfs", "none", str(island.disk))


def replaced(island: Island) -> None:
    """Another disk with a copy of the archive is in its place."""
    island.unmount()
    island.do("mount", "-t", "tmpfs", "none", str(island.disk))
    island.do("cp", "-a", f"{island.keep}/hashfs.json", str(island.disk))


@pytest.mark.parametrize(
    ("vanishes", "lease"), [(unmounted, True), (unmounted, False), (covered, True), (replaced, False)]
)
def test_mount(island: Island, source: Source, vanishes: Callable[[Island], None], lease: bool) -> None:
    """Exit 1; nothing is written to what is there instead; with the disk back all is well."""
    island.mount()
    broken = island.case(source, commit_messages=5, lease=lease)
    live = in_the_middle(broken, lambda: vanishes(island))
    before = len(broken.states())
    ran = live.finish()
    assert 1 == ran.target, ran
    assert "Archive disk gone" in ran.target_log
    # The commit that was under way when the target was stopped may have been past its last look.
    assert len(ran.states) <= before + 1
    assert {"hashfs.json"} >= {path.name for path in island.seen(island.disk).iterdir()}
    if vanishes is not unmounted:
        island.unmount()
    if vanishes is not covered:
        island.mount_again()
    broken.after_fault(ran)
    broken.restart(source.expected)


@pytest.mark.parametrize("kind", ["off the bus", "read-only after an error"])
def test_disk_with_a_journal_of_its_own(tmp_path: Path, source: Source, kind: str) -> None:
    """An ext4 that shuts down: every call fails; after a new mount what had been synced is there, and no less."""
    mkfs = require("mkfs.ext4")
    require_namespace(PRIVILEGED)
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run([mkfs, "-qF", str(image)], check=True)
    with Warm(*PRIVILEGED) as warm:
        island = Island(tmp_path, warm)
        island.mount_image(image, island.disk)
        broken = Case(
            tmp_path / "case", island.warm, source.accounts, source.promised,
            archive=island.disk / "archive", seen=island.seen(island.disk / "archive"), commit_messages=5,
        )  # fmt: skip

        def breaks() -> None:
            if kind == "off the bus":
                root = os.open(island.seen(island.disk), os.O_RDONLY)
                try:
                    fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
                finally:
                    os.close(root)
            else:
                island.do("mount", "-o", "remount,abort", str(island.disk))

        ran = in_the_middle(broken, breaks).finish()
        assert 1 == ran.target, ran
        island.do("umount", str(island.disk))
        island.mount_image(image, island.disk)
        broken.after_fault(ran)
        broken.restart(source.expected)
        island.do("umount", str(island.disk))
