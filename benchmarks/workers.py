"""The tap with parser processes beside it: alone, with its output thrown away, and before the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.mailboxes import fill
from benchmarks.measured import alternated, each_end, run, spread, table, wall
from benchmarks.pair import Pair, account
from tests.servers.dovecot import Dovecot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.measured import Run

MESSAGES = 4_000
WORKERS = (0, 1, 2, 3)
THROWN_AWAY = ["sh", "-c", "cat >/dev/null"]


def report(scratch: Path, rounds: int) -> str:
    """Return the table."""
    with Dovecot() as dovecot:
        user = dovecot.new_user()
        octets = fill(dovecot, user, range(MESSAGES))
        contenders: dict[str, Callable[[], Run]] = {}
        for workers in WORKERS:
            pair = Pair(scratch / str(workers), [account(dovecot, user)], workers=workers)
            contenders[f"the tap alone, `workers: {workers}`"] = lambda pair=pair: run(
                pair.tap, THROWN_AWAY, log=pair.log
            )
            contenders[f"the pair, `workers: {workers}`"] = pair.sync
        runs = alternated(contenders, rounds)
    of = {name: runs[f"{name.split(',')[0]}, `workers: 0`"] for name in runs}
    return f"{MESSAGES:,} messages, {octets / 1e6:,.0f} MB, with raw.\n\n" + table(
        ("", "msg/s", "wall s, median (range)", "CPU s", "× without"),
        (
            (
                name,
                f"{MESSAGES / wall(runs[name]):,.0f}",
                spread(runs[name]),
                each_end(runs[name], "cpu"),
                f"{wall(of[name]) / wall(runs[name]):.2f}",
            )
            for name in sorted(runs, reverse=True)
        ),
    )
