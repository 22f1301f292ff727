"""Microsoft Graph at 100 ms a request: how much of the time the four allowed requests are in flight."""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING

from benchmarks.measured import run, table
from tests.servers.graph import GraphServer
from tests.servers.oauth import Entra
from tests.tap.graph.world import World

if TYPE_CHECKING:
    from pathlib import Path

Timed = tuple[str, float, float]
"""Path of a request, when it began and when it was answered."""

MESSAGES = 400
LATENCY = 0.1
ALLOWED = 4


def report(scratch: Path, rounds: int) -> str:
    """Return the table."""
    rows = []
    for number in range(rounds):
        place = scratch / str(number)
        place.mkdir()
        with GraphServer() as graph, Entra() as entra:
            world = World(graph, entra, place)
            world.fill(MESSAGES)
            graph.quirks.latency = LATENCY
            config = place / "tap.json"
            config.write_text(json.dumps({"accounts": [world.account()], "credentials_dir": str(place)}))
            times = place / "times.json"
            command = [sys.executable, "-m", "benchmarks.in_flight", str(times), "--config", str(config)]
            run(command, log=place / "log")
            theirs = [(each.path, each.started, each.ended or each.started) for each in graph.log]
            ours = [(path, sent, answered) for path, sent, answered in json.loads(times.read_text())]
            rows.append(
                (
                    number + 1,
                    sum(_is_fetch(path) for path, _, _ in theirs),
                    f"{_span(theirs)[1] - _span(theirs)[0]:.1f}",
                    f"{_share(ours):.3f}",
                    f"{_share(theirs):.3f}",
                    graph.throttle.most_in_flight,
                    len(graph.throttle.violations),
                )
            )
    head = (
        "run",
        "messages",
        "seconds of asking",
        "share with 4 in flight, as the tap sees it",
        "as the server sees it",
        "most in flight",
        "violations of Retry-After",
    )
    return table(head, rows)


def _is_fetch(path: str) -> bool:
    return path.split("?", maxsplit=1)[0].endswith("/$value")


def _span(requests: list[Timed]) -> tuple[float, float]:
    """Return when the first message was asked for, and when the last one was: then nothing is left to ask."""
    begun = [begun for path, begun, _ in requests if _is_fetch(path)]
    return min(begun), max(begun)


def _share(requests: list[Timed]) -> float:
    """Return the share of that time in which all that are allowed were in flight."""
    first, last = _span(requests)
    # Others use up the four as well: the pages that name the messages.
    meanwhile = [(begun, min(ended, last)) for _, begun, ended in requests if first <= begun < last]
    moments = sorted([(begun, 1) for begun, _ in meanwhile] + [(ended, -1) for _, ended in meanwhile])
    busy, under_way = 0.0, 0
    for (moment, change), (following, _) in itertools.pairwise(moments):
        under_way += change
        busy += following - moment if under_way >= ALLOWED else 0.0
    return busy / (last - first)
