"""Where tests write: `in_memory`, where no disk is waited for, and `require_syncfs`, on a disk that has it."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
"""None: wherever temporary files belong."""


@contextlib.contextmanager
def in_memory() -> Iterator[Path]:
    """Yield a new directory that is gone afterwards, on a file system without a disk where there is one."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        yield Path(directory)


def kind(path: Path) -> int:
    """Return the number of the type of a path's file system, as another program than ours sees it."""
    told = subprocess.run(["stat", "-f", "-c", "%t", path], capture_output=True, check=True, text=True)
    return int(told.stdout, 16)


def require_syncfs(path: Path) -> None:
    """Skip where syncfs is not to be used: an old kernel, another file system than ext4, XFS or btrfs.

    The target is not asked: if it took no disk for such a one, the tests of syncfs would all be skipped.
    """
    if tuple(map(int, platform.release().split(".")[:2])) < (5, 8):
        pytest.skip(f"syncfs of Linux {platform.release()} reports no error; 5.8 is the first that does")
    if kind(path) not in {0xEF53, 0x58465342, 0x9123683E}:
        pytest.skip(f"{path} is on a file system of type {kind(path):#x}, not ext4, XFS or btrfs")
