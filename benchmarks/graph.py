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

    from tests.servers.graph import LoggedRequest

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
            run([sys.executable, "-m", "tap_mailbox", "--config", str(config)], log=place / "log")
            fetches = [each for each in graph.log if each.path.endswith("/$value")]
            begin, end = min(each.started for each in fetches), max(map(_end, fetches))
            # Others use up the four as well: the pages that name the messages.
            meanwhile = [each for each in graph.log if begin <= each.started and _end(each) <= end]
            rows.append(
                (
                    number + 1,
                    len(fetches),
                    f"{end - begin:.1f}",
                    f"{_share(meanwhile):.3f}",
                    graph.throttle.most_in_flight,
                    len(graph.throttle.violations),
                )
            )
    head = (
        "run",
        "messages",
        "seconds",
        "share with 4 in flight",
        "most in flight",
        "violations of Retry-After",
    )
    return table(head, rows)


def _share(requests: list[LoggedRequest]) -> float:
    """Return the share of the time from the first request's start to the last one's end."""
    moments = sorted([(each.started, 1) for each in requests] + [(_end(each), -1) for each in requests])
    busy, under_way = 0.0, 0
    for (moment, change), (following, _) in itertools.pairwise(moments):
        under_way += change
        busy += following - moment if under_way >= ALLOWED else 0.0
    return busy / (moments[-1][0] - moments[0][0])


def _end(request: LoggedRequest) -> float:
    return request.ended or request.started
