"""Peak memory of each end of a full sync with raw, by the number of messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.mailboxes import LARGEST, fill
from benchmarks.measured import table
from benchmarks.pair import Pair, account
from tests.servers.dovecot import Dovecot

if TYPE_CHECKING:
    from pathlib import Path

SIZES = [int(size) for size in os.environ.get("BENCHMARK_SIZES", "1000,20000").split(",")]


def report(scratch: Path, _rounds: int) -> str:
    """Return the table; BENCHMARK_SIZES names other numbers of messages."""
    rows = []
    for size in SIZES:
        with Dovecot() as dovecot:
            user = dovecot.new_user()
            octets = fill(dovecot, user, range(size))
            pair = Pair(scratch / str(size), [account(dovecot, user)])
            found = pair.sync()
            pair.forget()
        rows.append(
            (
                f"{size:,}",
                f"{octets / 1e6:,.0f}",
                *(f"{peak:.0f}" for peak in found.peak),
                f"{found.wall:.1f}",
            )
        )
    head = ("messages", "MB of mail", "tap, peak MB", "target, peak MB", "wall s")
    return table(head, rows) + f"\nThe largest message may have {LARGEST / 1e6:.0f} MB.\n"
