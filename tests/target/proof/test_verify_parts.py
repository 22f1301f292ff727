"""`hashfs verify` of what it is asked for: parts of an archive, and what is no archive or no request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.target.contents import looks
from tests.target.proof.commands import hashfs


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ([], 5), (["--account", "gmail"], 4), (["--account", "work"], 1), (["--since", "2026-07"], 1),
        (["--since", "2026/06"], 5), (["--since", "2027/01"], 0),
        (["--account", "work", "--since", "2026/07"], 0),
    ],
)  # fmt: skip
def test_parts(path: Path, arguments: list[str], messages: int) -> None:
    """Only the account and the months that are asked for; what is not is no finding."""
    result = hashfs("verify", path, "--json", *arguments)
    document = json.loads(result.stdout)
    assert (0, [], messages) == (result.exit_code, document["findings"], document["messages"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "June"],
        ["--since", "2026-13"],
        ["--jobs", "0"],
        ["--account", "nobody"],
        ["--what"],
        ["a", "b"],
    ],
)
def test_usage(path: Path, arguments: list[str]) -> None:
    """What cannot be understood is exit 2."""
    assert 2 == hashfs("verify", *([path] if "a" not in arguments else []), *arguments).exit_code


@pytest.mark.parametrize("command", ["verify", "root", "stats", "log"])
@pytest.mark.parametrize("place", ["empty", "missing", "file"])
def test_no_archive(tmp_path: Path, command: str, place: str) -> None:
    """Exit 1, with what was expected, what was found, and what to do; nothing is created."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    before = looks(tmp_path)
    result = hashfs(command, tmp_path / place)
    assert 1 == result.exit_code
    assert "expected" in result.stderr
    assert "hashfs.json" in result.stderr
    assert before == looks(tmp_path)


def test_unknown_version(path: Path) -> None:
    """An archive of a later version is not called damaged."""
    marker = json.loads((path / "hashfs.json").read_text())
    (path / "hashfs.json").write_text(json.dumps(marker | {"version": 2}))
    result = hashfs("verify", path)
    assert (1, "") == (result.exit_code, result.stdout)
    assert "update it" in result.stderr
