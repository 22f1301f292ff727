"""A full sync: the pair beside mbsync, from one server, in turn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import meltano
from benchmarks.mailboxes import adopt, fill
from benchmarks.measured import alternated, each_end, spread, table, wall
from benchmarks.pair import Pair, account
from benchmarks.peers import Mbsync, raw_read
from tests.servers.dovecot import Dovecot

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measured import Run

MESSAGES = 4_000
SHIPPED = "mbsync as it ships (fsync)"
FAST = "mbsync without fsync"


def report(scratch: Path, rounds: int) -> str:
    """Return the table; BENCHMARK_MAILDIR names a Maildir to use instead of messages made for it."""
    with Dovecot() as dovecot:
        user = dovecot.new_user()
        if maildir := os.environ.get("BENCHMARK_MAILDIR"):
            messages, octets = adopt(dovecot, user, Path(maildir))
        else:
            messages, octets = MESSAGES, fill(dovecot, user, range(MESSAGES))
        pairs = {
            "the pair, with raw": Pair(scratch / "raw", [account(dovecot, user)]),
            "the pair, without raw": Pair(scratch / "lean", [account(dovecot, user)], raw=False),
            "the pair, with raw, TLS": Pair(scratch / "tls", [account(dovecot, user, tls=True)]),
        }
        peers = {}
        if Mbsync.installed():
            peers = {
                SHIPPED: Mbsync(scratch / "shipped", dovecot, user, fsync=True),
                FAST: Mbsync(scratch / "fast", dovecot, user, fsync=False),
                f"{SHIPPED}, TLS": Mbsync(scratch / "shipped-tls", dovecot, user, fsync=True, tls=True),
            }
        project = meltano.Project(scratch / "meltano", [account(dovecot, user)])
        contenders: dict[str, Callable[[], Run]] = {
            "raw read, thrown away": lambda: raw_read(dovecot.port, user),
            **{name: peer.sync for name, peer in peers.items()},
            **{name: pair.sync for name, pair in pairs.items()},
            "`meltano run` with the pair, with raw": project.sync,
        }
        runs = alternated(contenders, rounds)
        counts = {
            **{name: pair.archived() for name, pair in pairs.items()},
            **{n: p.copied() for n, p in peers.items()},
        }
    return (
        f"{messages:,} messages, {octets / 1e6:,.0f} MB, 7 folders, Dovecot on loopback without COMPRESS.\n\n"
        + _table(messages, runs)
        + ("" if peers else "\nmbsync (isync) is not installed here and left out.\n")
        + "".join(
            f"\n{name} copied {count:,} messages.\n"
            for name, count in counts.items()
            if count < messages * 0.97
        )
    )


def _table(messages: int, runs: dict[str, list[Run]]) -> str:
    def times(name: str, other: str) -> str:
        return f"{wall(runs[other]) / wall(runs[name]):.2f}" if other in runs else "–"

    return table(
        (
            "",
            "msg/s",
            "wall s, median (range)",
            "CPU s",
            "peak MB",
            "× mbsync fsync",
            "× mbsync",
            "of the raw read",
        ),
        (
            (
                name,
                f"{messages / wall(each):,.0f}",
                spread(each),
                each_end(each, "cpu"),
                each_end(each, "peak", 0),
                times(name, SHIPPED + (", TLS" if "TLS" in name else "")),
                times(name, FAST),
                times(name, "raw read, thrown away"),
            )
            for name, each in runs.items()
        ),
    )
