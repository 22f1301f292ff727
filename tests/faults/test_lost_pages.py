"""What was written never reached the disk, and memory still shows it: the next runs go by the disk."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.faults.islands import PRIVILEGED, Island, require_namespace
from tests.faults.matrix import Case
from tests.faults.sources import Source
from tests.faults.warm import Warm
from tests.servers.programs import require

JOURNAL_TURNS = 2_500
"""So many synced changes go once round the journal of ext4, which is then all there and needs no new blocks."""


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_lines_that_only_memory_has(tmp_path: Path, source: Source) -> None:
    """The sync of the journal fails on a disk that promised more than it has: no later STATE rests on its lines."""
    mkfs = require("mkfs.ext4")
    require_namespace(PRIVILEGED)
    with Warm(*PRIVILEGED) as warm:
        island = Island(tmp_path, warm)
        island.mount("size=80m")
        image, thin = island.disk / "image", tmp_path / "thin"
        with (island.seen(image)).open("wb") as file:
            file.truncate(200 << 20)
        island.do(
            mkfs, "-qF", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-J", "size=4", str(image)
        )
        thin.mkdir()
        island.mount_image(image, thin)
        case = Case(
            tmp_path / "case", warm, source.accounts, source.promised,
            archive=thin / "archive", seen=island.seen(thin / "archive"),
        )  # fmt: skip
        first = case.run()
        assert (0, 0) == (first.tap, first.target), first
        case.after_fault(first)
        with (island.seen(thin) / "turns").open("wb") as file:
            for turn in range(JOURNAL_TURNS):
                os.utime(file.fileno(), (turn, turn))
                os.fsync(file.fileno())
        fill(island.seen(island.disk) / "rest")
        for _ in range(40):
            ran = case.run()
            if "writing the journal" in ran.target_log:
                break
        assert (1, []) == (ran.target, ran.states), ran
        (island.seen(island.disk) / "rest").unlink()
        case.restart(source.expected)
        case.restart(source.expected)
        island.do("umount", str(thin))
        island.mount_image(image, thin)
        case.verify()
        island.do("umount", str(thin))
