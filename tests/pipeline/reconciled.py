"""`mailbox reconcile` of the account alice over a pair's archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from tap_mailbox.cli import main
from tests.pipeline.pair import Pair


def reconciled(pair: Pair, *options: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Run the command; return its exit code, what became of each folder, and what it said."""
    arguments = ["--config", str(pair.directory / "tap.json"), "reconcile", "alice", "--json"]
    done = CliRunner().invoke(main, [*arguments, "--archive", str(pair.archive), *options])
    found = json.loads(done.stdout) if done.stdout else {"folders": []}
    return done.exit_code, {each["folder"]: each for each in found["folders"]}, done.stderr


def one_file(pair: Pair, number: int) -> Path:
    """Return the archived file of message *number*."""
    (found,) = (
        path
        for path in pair.archive.glob("alice/*/*/*.json")
        if json.loads(path.read_text())["message_id"] == f"<{number}@example.org>"
    )
    return found
