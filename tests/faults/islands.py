"""`Island`: a small disk in a mount namespace of the tests' own, and the pair on it; no root needed, where allowed.

The disk is a tmpfs of a given size. `keep` is a second mount of the same disk, so that what is on it can be seen,
and mounted again, after `disk` has vanished.
"""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.faults.matrix import Case
from tests.faults.sources import Source
from tests.faults.warm import Warm
from tests.servers.programs import require

UNPRIVILEGED = ("unshare", "-rm", "--propagation", "private")
PRIVILEGED = ("unshare", "-m", "--propagation", "private")
"""Real root: loop devices."""


class Island:
    """Mount points below *directory* in the namespace in which *warm* starts processes."""

    def __init__(self, directory: Path, warm: Warm) -> None:
        self.directory, self.warm = directory, warm
        self.disk, self.keep = directory / "disk", directory / "keep"
        for each in (self.disk, self.keep):
            each.mkdir()

    def do(self, program: str, *arguments: str) -> None:
        """Run a program in the namespace; it must succeed."""
        code, said = self.warm.run(require(program), *arguments)
        assert 0 == code, (program, arguments, said)

    def mount(self, *options: str) -> None:
        """Mount a new tmpfs as the disk, and once more as `keep`."""
        self.do("mount", "-t", "tmpfs", "-o", ",".join(["mode=700", *options]), "none", str(self.disk))
        self.do("mount", "--bind", str(self.disk), str(self.keep))

    def mount_image(self, image: Path, at: Path) -> None:
        """Mount a file with a file system in it; skip where the system has no loop device for that."""
        code, said = self.warm.run(require("mount"), "-o", "loop", str(image), str(at))
        if "loop device" in said or "unknown filesystem" in said:
            pytest.skip(f"this kernel or container has no loop device or no ext4: {said.strip()}")
        assert 0 == code, said

    def remount(self, *options: str) -> None:
        """Change the disk's size."""
        self.do("mount", "-o", ",".join(["remount", *options]), str(self.disk))

    def unmount(self) -> None:
        """Let the disk vanish from its place, however busy it is."""
        self.do("umount", "-l", str(self.disk))

    def mount_again(self) -> None:
        """Bring the disk back."""
        self.do("mount", "--bind", str(self.keep), str(self.disk))

    def seen(self, path: Path) -> Path:
        """Return where these tests find a path of the namespace."""
        return Path(f"/proc/{self.warm.server.pid}/root{path}")

    def case(self, source: Source, **target: Any) -> Case:
        """Make a case whose archive is the disk's root."""
        return Case(
            self.directory / "case", self.warm, source.accounts, source.promised,
            archive=self.disk, seen=self.seen(self.keep), **target,
        )  # fmt: skip


def require_namespace(prefix: tuple[str, ...]) -> None:
    """Skip where the system forbids such a namespace: containers and some desktops do, by design."""
    for program in (prefix[0], "mount", "umount"):
        require(program)
    if reason := _refusal(prefix):
        pytest.skip(f"{' '.join(prefix)} is forbidden here: {reason}")


@functools.cache
def _refusal(prefix: tuple[str, ...]) -> str | None:
    """Return what the system says against it."""
    mounting = "mount -t tmpfs none /mnt && umount /mnt"
    tried = subprocess.run([*prefix, "sh", "-c", mounting], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or f"exit {tried.returncode}" if tried.returncode else None
