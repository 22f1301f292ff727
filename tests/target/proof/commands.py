"""Ways to run the command `hashfs`, and to verify without it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

from click.testing import CliRunner, Result

from target_hashfs.cli import main
from target_hashfs.proof.verify import Verification
from target_hashfs.proof.walk import Selection


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


def findings_of(path: Path, jobs: int = 1) -> list[tuple[str, str]]:
    """Code and place of each finding, without the command."""
    verification = Verification(
        path, Selection(), jobs=jobs, progress=lambda: nullcontext(lambda _totals: None)
    )
    return [(each.code.label, each.path) for each in verification.findings()]
