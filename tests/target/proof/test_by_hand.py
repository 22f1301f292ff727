"""docs/verify-by-hand.md: every command and every script on the page, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.programs import require
from tests.target.contents import looks
from tests.target.proof.commands import hashfs
from tests.target.proof.example import ONE, rewrite
from tests.target.running import ROOT

PAGE = (ROOT / "docs/verify-by-hand.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [body for language, body in BLOCKS if language == "sh"]


@pytest.fixture
def by_hand(path: Path) -> Path:
    """An archive with the page's scripts beside it, where the page says to save them."""
    for language, body in BLOCKS:
        if language == "python":
            name = body.splitlines()[0].removeprefix("# ")
            (path.parent / name).write_text(body, encoding="utf-8")
    return path


def run(path: Path, commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Run *commands* in one shell that ends at the first error."""
    return subprocess.run(
        ["sh", "-eu", "-c", "\n".join(commands)],
        cwd=path,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_scripts(by_hand: Path) -> None:
    """They find a sound archive sound, and the root that hashfs finds; they need nothing but Python."""
    before = looks(by_hand)
    done = run(by_hand, [each for each in COMMANDS if "python3" in each])
    assert (0, "") == (done.returncode, done.stderr)
    root = hashfs("root", by_hand).stdout.splitlines()[-1].split()[0]
    assert ["5 messages are as they were archived", root] == done.stdout.splitlines()
    assert before == looks(by_hand)


@pytest.mark.parametrize("damage", ["chain", "file", "content"])
def test_scripts_find_damage(by_hand: Path, damage: str) -> None:
    """A changed line, a changed file, a file that is consistent but not what was archived."""
    if damage == "chain":
        journal = by_hand / "_journal/live-poll.jsonl"
        journal.write_bytes(journal.read_bytes().replace(b"INBOX", b"OUTBX", 1))
    else:
        rewrite(by_hand / f"{ONE}.json", **({"email": "x"} if damage == "file" else {"subject": "x"}))
    done = run(by_hand, [each for each in COMMANDS if "check.py" in each])
    assert 1 == done.returncode
    assert ("chain is broken" if damage == "chain" else ONE) in done.stderr


def test_commands(by_hand: Path) -> None:
    """All commands of the page, in order, on a sound archive."""
    require("jq")
    before = looks(by_hand)
    done = run(by_hand, COMMANDS)
    assert (0, "") == (done.returncode, done.stderr)
    name, digest, line, *_ = done.stdout.splitlines()
    assert (16, 64) == (len(name), len(digest))
    assert f"{name}" in line
    assert before == looks(by_hand)


@pytest.mark.parametrize("end", ["json", "eml"])
def test_commands_find_damage(by_hand: Path, end: str) -> None:
    """A changed file in the month that is looked at."""
    require("jq")
    (by_hand / f"{ONE}.{end}").write_bytes(b'{"message_id": "x"}')
    assert 0 != run(by_hand, COMMANDS).returncode


def test_scripts_are_short() -> None:
    """Twenty lines each, from the standard library."""
    scripts = [body.splitlines()[1:] for language, body in BLOCKS if language == "python"]
    assert [True, True] == [len([line for line in lines if line]) <= 20 for lines in scripts]
    imported = {
        name
        for lines in scripts
        for line in lines
        if line.startswith("import ")
        for name in re.split(r"[ ,]+", line)[1:]
    }
    assert imported <= sys.stdlib_module_names
