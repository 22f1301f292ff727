"""Every octet that leaves the processes of a test, and the forms that a secret may have in them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, quote_plus

POLL_SECONDS = 0.01


def forms(secret: str) -> set[bytes]:
    """Return a secret as it is, the middle of a long one, URL-encoded, as JSON, and in Base64 at any offset."""
    found = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    if len(secret) > 40:
        half = len(secret) // 2
        found.add(secret[half - 12 : half + 12])
    octets = {each.encode() for each in found} | {secret.encode("utf-16-le")}
    for offset in range(3):
        # What stands before and behind shares the first and the last letters.
        encoded = base64.b64encode(bytes(offset) + secret.encode())
        inner = encoded[-(-offset * 4 // 3) : len(encoded) - 4]
        octets |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")} if len(inner) > 8 else set()
    return octets


class Overheard:
    """A directory for everything: `out` (what processes say), `tmp` and `home` (what they leave), and more.

    Attributes:
        root: What else is put here is searched as well.
    """

    def __init__(self, root: Path, variables: Mapping[str, str]) -> None:
        self.root = root
        for name in ("out", "tmp", "home"):
            (root / name).mkdir()
        own = {"HOME": str(root / "home"), "TMPDIR": str(root / "tmp"), "LOGLEVEL": "DEBUG"}
        levels = {"TAP_MAILBOX_LOGLEVEL": "DEBUG", "TARGET_HASHFS_LOGLEVEL": "DEBUG"}
        self.environment = {**os.environ, **own, **levels, **variables}
        self._arguments: set[bytes] = set()
        self._count = 0

    @contextlib.contextmanager
    def pipe(self, *commands: Sequence[str | Path]) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Run commands as a pipe; what each says is in `out`. They have ended when the block has."""
        self._count += 1
        children: list[subprocess.Popen[bytes]] = []
        watching = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(children, watching))
        with contextlib.ExitStack() as files:
            for number, command in enumerate(commands):
                name = self.root / "out" / f"{self._count}-{number}"
                previous = children[-1].stdout if children else None
                last = number == len(commands) - 1
                children.append(
                    subprocess.Popen(
                        command,
                        cwd=self.root,
                        env=self.environment,
                        stdin=previous or subprocess.DEVNULL,
                        stdout=files.enter_context(name.with_suffix(".out").open("wb"))
                        if last
                        else subprocess.PIPE,
                        stderr=files.enter_context(name.with_suffix(".err").open("wb")),
                        start_new_session=True,
                    )
                )
                if previous:
                    previous.close()
            watcher.start()
            try:
                yield children
                for child in children:
                    child.wait(timeout=150)
            finally:
                watching.set()
                watcher.join()
                for child in children:
                    child.kill()
                    child.wait()

    def run(self, *command: str | Path) -> tuple[int, str]:
        """Run one command; returns its exit code and all it said."""
        with self.pipe(command) as (child,):
            pass
        return child.returncode, self.said("*")

    def pair(self, tap: Sequence[str | Path], target: Sequence[str | Path]) -> tuple[int, int, str]:
        """Run `tap | tee … | target`, so that the records are overheard too; returns codes and logs."""
        records = self.root / "out" / f"{self._count + 1}-records"
        with self.pipe(tap, ["tee", records], target) as children:
            pass
        return children[0].returncode, children[2].returncode, self.said("*.err")

    def said(self, pattern: str) -> str:
        """Return what the last pipe said, its files in order."""
        names = sorted((self.root / "out").glob(f"{self._count}-{pattern}"))
        return "".join(name.read_text("utf-8", "replace") for name in names)

    def found(self, secrets: Collection[str]) -> list[str]:
        """Return where secrets are: in files below the root, and in process arguments."""
        wanted = {form: secret for secret in secrets for form in forms(secret)}
        places = [(str(path), path.read_bytes()) for path in self._files()]
        places += [("process arguments", each) for each in self._arguments]
        return [
            f"{secret[:24]}… in {place}"
            for place, octets in places
            for form, secret in wanted.items()
            if form in octets
        ]

    def _files(self) -> Iterator[Path]:
        return (path for path in self.root.rglob("*") if path.is_file())

    def _watch(self, children: Sequence[subprocess.Popen[bytes]], ended: threading.Event) -> None:
        sessions = {child.pid for child in children}
        strangers: set[Path] = set()
        while not ended.wait(POLL_SECONDS):
            for process in set(Path("/proc").glob("[0-9]*")) - strangers:
                with contextlib.suppress(OSError):
                    if os.getsid(int(process.name)) in sessions:
                        self._arguments.add(process.joinpath("cmdline").read_bytes())
                    else:
                        strangers.add(process)
