"""Ways to run the command `hashfs`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from target_hashfs.cli import main


def hashfs(*arguments: object) -> Result:
    """Run the command in this process, and in no other unless it is told to."""
    line = [str(each) for each in arguments]
    if line[0] in {"verify", "root"} and "--jobs" not in line:
        line += ["--jobs", "1"]
    return CliRunner().invoke(main, line, catch_exceptions=False)


def verify(path: Path, *arguments: object) -> tuple[int, list[tuple[str, str]]]:
    """Exit code, and code and place of each finding."""
    result = hashfs("verify", path, "--json", *arguments)
    findings = json.loads(result.stdout)["findings"]
    return result.exit_code, [(each["code"], each["path"]) for each in findings]
