"""Error codes of Graph reach logs and the summary: only words may."""

from __future__ import annotations

import json

import pytest

from tap_mailbox.sources.graph.replies import Refused, codes_of


@pytest.mark.parametrize(
    "code",
    [
        "\x1b[2J",
        "Error\nsummary: account ann: complete",
        "ann@outlook.example",
        "eyJ0eXAiOiJKV1QiLCJub25jZSI6ImZha2UtWnE3In0.eyJhdWQiOiJmYWtlIn0.c2lnbmF0dXJl",
        "Subject: a secret of Ann's",
    ],
)
def test_no_word(code: str) -> None:
    """Whatever else a service puts there is no code."""
    shown = str(Refused("reading", 400, codes_of(json.dumps({"error": {"code": code}}).encode())))
    assert shown == "reading: refused (400 no error code)"


@pytest.mark.parametrize("code", ["ErrorItemNotFound", "Request_ResourceNotFound", "BadRequest.1"])
def test_word(code: str) -> None:
    """Words of letters, digits, dots and lines are shown."""
    body = json.dumps({"error": {"code": code}}).encode()
    assert code in str(Refused("reading", 400, codes_of(body)))
