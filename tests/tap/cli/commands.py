"""The `mailbox` command in this process or as one of its own, and configurations for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tap_mailbox.cli import main
from tap_mailbox.config import Account, parse_config
from tap_mailbox.schema import load_schema

MAILBOX = (sys.executable, "-m", "tap_mailbox.cli")


def mailbox(*arguments: str | Path, stdin: str | None = None) -> Result:
    """Run the command in this process; a crash is raised here."""
    return CliRunner().invoke(main, list(map(str, arguments)), input=stdin, catch_exceptions=False)


def start(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.Popen[str]:
    """Start the command as a process with pipes."""
    return subprocess.Popen(
        [*MAILBOX, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write_config(path: Path, *accounts: dict[str, Any], **more: Any) -> Path:
    """Write a configuration file for `--config`."""
    path.write_text(json.dumps({"accounts": accounts, **more}), encoding="utf-8")
    return path


def parsed(account: dict[str, Any]) -> Account:
    """Return an account as the commands see it."""
    (found,) = parse_config({"accounts": [account]}, load_schema("tap-config")).accounts
    return found
