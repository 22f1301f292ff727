"""The figures of a run as Singer metrics: one METRIC line each, of either plugin (issue 5)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.faults.matrix import Case
from tests.faults.warm import Warm
from tests.tap.runs import files_account, mail
from tests.target.contents import tree
from tests.target.lines import record_line, schema_line, state_line
from tests.target.running import archive

SDKS_OWN = {"record_count", "sync_duration", "http_request_count", "batch_processing_time", "job_duration"}


def figures(log: str) -> dict[str, tuple[str, Any, dict[str, Any]]]:
    """Return our figures in a log by their names: kind, value, tags but for the process id."""
    points = [json.loads(each) for each in re.findall(r"METRIC: (\{.*\})", log)]
    ours = [point for point in points if point["metric"] not in SDKS_OWN]
    assert all(isinstance(point["tags"].pop("pid"), int) for point in ours)
    assert len({point["metric"] for point in ours}) == len(ours)
    return {point["metric"]: (point["type"], point["value"], point["tags"]) for point in ours}


def test_target(tmp_path: Path) -> None:
    """Messages, what they came to, and the seconds that commits took."""
    path = tmp_path / "archive"
    lines = [
        schema_line(),
        record_line(1),
        record_line(2),
        record_line(1),
        record_line(1, subject="x"),
        state_line(2),
    ]
    result = archive(path, tmp_path, lines)
    found = figures(result.log)
    kind, seconds, tags = found.pop("commit_seconds")
    assert ("timer", {}) == (kind, tags)
    assert 0 < seconds < 60
    assert {
        "messages": ("counter", 4, {}),
        "bytes": ("counter", sum(map(len, tree(path).values())), {}),
        "duplicates": ("counter", 1, {}),
        "variants": ("counter", 1, {}),
    } == found


def test_tap(tmp_path: Path) -> None:
    """Messages and octets of an account, and how many it owes."""
    (tmp_path / "mail").mkdir()
    mails = [mail(number) for number in range(3)]
    for number, octets in enumerate(mails):
        (tmp_path / f"mail/{number}.eml").write_bytes(octets)
    with Warm() as warm:
        ran = Case(tmp_path, warm, [files_account(tmp_path / "mail")]).run()
    account = {"account": "old-mac"}
    assert {
        "messages": ("counter", 3, account),
        "bytes": ("counter", sum(map(len, mails)), account),
        "pending": ("counter", 0, account),
    } == figures(ran.tap_log)
