"""The commands that are measured: tap and target, with their configuration, in a directory of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from benchmarks.measured import Run, run, set_aside

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dovecot import Dovecot, User


class Pair:
    """`tap-mailbox | target-hashfs` over some accounts."""

    def __init__(
        self,
        directory: Path,
        accounts: list[dict[str, Any]],
        *,
        raw: bool = True,
        workers: int | str = "auto",
    ) -> None:
        directory.mkdir()
        self.directory, self.archive, self.log = directory, directory / "archive", directory / "log"
        self.states = directory / "states.jsonl"
        self.tap = [
            sys.executable,
            "-m",
            "tap_mailbox",
            "--config",
            self._write("tap.json", {"accounts": accounts, "workers": workers}),
        ]
        self.target = [
            *(sys.executable, "-m", "target_hashfs", "--config"),
            self._write("target.json", {"path": str(self.archive)}),
        ]
        if raw:
            self.tap += ["--catalog", self._write("catalog.json", _everything())]

    def sync(self) -> Run:
        """Read everything into a new archive."""
        self.forget()
        return run(self.tap, self.target, stdout=self.states, log=self.log)

    def poll(self) -> Run:
        """Read what the last run has left."""
        state = self.directory / "state.json"
        state.write_text(self.states.read_text().splitlines()[-1])
        return run([*self.tap, "--state", str(state)], self.target, stdout=self.states, log=self.log)

    def forget(self) -> None:
        """Begin with a new archive."""
        set_aside(self.archive)

    def archived(self) -> int:
        """Return how many messages the archive holds."""
        return sum(1 for _ in self.archive.glob("*/[0-9]*/*/*.json"))

    def _write(self, name: str, document: object) -> str:
        path = self.directory / name
        path.write_text(json.dumps(document))
        return str(path)


def account(dovecot: Dovecot, user: User, *, tls: bool = False, **more: Any) -> dict[str, Any]:
    """Return an account of the tap, everything selected."""
    return {
        "name": user.name,
        "protocol": "imap",
        "email": user.email,
        "host": dovecot.host,
        "port": dovecot.tls_port if tls else dovecot.port,
        "tls": "implicit" if tls else "none",
        **({"ca_file": str(dovecot.ca_file)} if tls else {}),
        "auth": [{"method": "password", "username": user.name, "password": user.password}],
        "folders": {"exclude": []},
        **more,
    }


def _everything() -> dict[str, Any]:
    """Return a catalog with everything selected, as Meltano makes it."""
    command = [sys.executable, "-m", "tap_mailbox", "--discover"]
    catalog: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = True
    return catalog
