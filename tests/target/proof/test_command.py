"""The command `hashfs` as a whole."""

from __future__ import annotations

import pytest

from tests.target.proof.commands import hashfs


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["root", "--help"]])
def test_help(arguments: list[str]) -> None:
    """Text for people: no mark that is meant for what lays it out."""
    result = hashfs(*arguments)
    assert 0 == result.exit_code
    assert "\\b" not in result.stdout
    assert "\b" not in result.stdout


def test_examples_keep_their_lines() -> None:
    """One command a line, to be copied."""
    lines = hashfs("--help").stdout.splitlines()
    assert 3 == sum(line.startswith("    hashfs ") for line in lines)
