"""A full sync over a line of 50 ms round trip and 100 Mbit/s, beside a bare reader on the same line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.link import Link
from benchmarks.mailboxes import fill
from benchmarks.measured import alternated, each_end, spread, table, wall
from benchmarks.pair import Pair, account
from benchmarks.peers import raw_read
from tests.servers.dovecot import Dovecot

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 4_000
ROUND_TRIP = 0.05
OCTETS_PER_SECOND = 12_500_000
CONNECTIONS = 4
BARE = "a bare reader, one FETCH a folder"


def report(scratch: Path, rounds: int) -> str:
    """Return the table."""
    with Dovecot() as dovecot:
        user = dovecot.new_user()
        octets = fill(dovecot, user, range(MESSAGES))
        with Link(dovecot.port, round_trip=ROUND_TRIP, octets_per_second=OCTETS_PER_SECOND) as link:
            one, four = (
                Pair(scratch / str(many), [account(dovecot, user, port=link.port, connections=many)])
                for many in (1, CONNECTIONS)
            )
            runs = alternated(
                {
                    BARE: lambda: raw_read(link.port, user),
                    "the pair, one connection": one.sync,
                    f"the pair, `connections: {CONNECTIONS}`": four.sync,
                },
                rounds,
            )
    return f"{MESSAGES:,} messages, {octets / 1e6:,.0f} MB.\n\n" + table(
        ("", "wall s, median (range)", "CPU s", "× the bare reader's time"),
        (
            (name, spread(each), each_end(each, "cpu"), f"{wall(each) / wall(runs[BARE]):.2f}")
            for name, each in runs.items()
        ),
    )
