"""The pair on a real pipe: `tap-mailbox | target-hashfs`, as a shell would run it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAP = [sys.executable, "-m", "tap_mailbox"]
TARGET = [sys.executable, "-m", "target_hashfs"]
BOOKKEEPING = {"_journal", "_state", "hashfs.json"}


@dataclass
class Ran:
    """What both ends said."""

    tap: int
    target: int
    states: list[dict[str, Any]]
    tap_log: str
    target_log: str

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE that left the target."""
        return self.states[-1]


class Pair:
    """A tap and a target with their configuration, and the archive between runs."""

    def __init__(
        self, directory: Path, accounts: list[dict[str, Any]], *, raw: bool = True, **target: Any
    ) -> None:
        self.directory = directory
        self.archive = directory / "archive"
        self.configure(accounts)
        self._write("target.json", {"path": str(self.archive), **target})
        self.arguments: list[str] = []
        if raw:
            catalog = json.loads(subprocess.run([*TAP, "--discover"], capture_output=True, check=True).stdout)
            for stream in catalog["streams"]:
                for entry in stream["metadata"]:
                    entry["metadata"]["selected"] = True
            self.arguments = ["--catalog", self._write("catalog.json", catalog)]

    def configure(self, accounts: list[dict[str, Any]], **more: Any) -> None:
        """Configure the tap."""
        self._write("tap.json", {"accounts": accounts, **more})

    def start(self, state: dict[str, Any] | None = None) -> tuple[subprocess.Popen, subprocess.Popen]:
        """Start both ends; who calls waits for them."""
        command = [*TAP, "--config", str(self.directory / "tap.json"), *self.arguments]
        if state is not None:
            command += ["--state", self._write("state.json", state)]
        with (self.directory / "tap.log").open("w") as log:
            tap = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        with (
            (self.directory / "target.log").open("w") as log,
            (self.directory / "states.jsonl").open("w") as out,
        ):
            command = [*TARGET, "--config", str(self.directory / "target.json")]
            target = subprocess.Popen(command, stdin=tap.stdout, stdout=out, stderr=log)
        tap.stdout.close()
        return tap, target

    def run(self, state: dict[str, Any] | None = None) -> Ran:
        """Run both to their end."""
        tap, target = self.start(state)
        return self.finish(tap, target)

    def finish(self, tap: subprocess.Popen, target: subprocess.Popen) -> Ran:
        """Wait for both and return what they said."""
        codes = tap.wait(timeout=120), target.wait(timeout=120)
        lines = (self.directory / "states.jsonl").read_text().splitlines()
        logs = [(self.directory / name).read_text() for name in ("tap.log", "target.log")]
        return Ran(*codes, [json.loads(line) for line in lines], *logs)

    def tree(self) -> dict[str, str]:
        """Return the digest of every archived file, by its path."""
        return {
            str(path.relative_to(self.archive)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.archive.rglob("*"))
            if path.is_file() and path.relative_to(self.archive).parts[0] not in BOOKKEEPING
        }

    def messages(self) -> list[dict[str, Any]]:
        """Return every archived message."""
        return [
            json.loads((self.archive / name).read_bytes()) for name in self.tree() if name.endswith(".json")
        ]

    def journal(self) -> list[dict[str, Any]]:
        """Return the journal."""
        return [
            json.loads(line) for line in (self.archive / "_journal/live-poll.jsonl").read_text().splitlines()
        ]

    def _write(self, name: str, document: object) -> str:
        path = self.directory / name
        path.write_text(json.dumps(document))
        return str(path)


def uncovered(
    pair: Pair, state: dict[str, Any], ids: dict[str, dict[int, str]], account: str = "alice"
) -> list[str]:
    """Return the Message-IDs that *state* says are done and that the archive does not hold.

    *ids* is what the server has: folder → UID → Message-ID.
    """
    held = {message["message_id"] for message in pair.messages() if message["account"] == account}
    accounts = state.get("bookmarks", {}).get("imap_messages", {}).get("accounts", {})
    folders = accounts.get(account, {}).get("folders", {})
    return [
        message_id
        for folder, entry in folders.items()
        for uid, message_id in ids.get(folder, {}).items()
        if uid <= entry["last_uid"] and uid not in entry["pending"] and message_id not in held
    ]
