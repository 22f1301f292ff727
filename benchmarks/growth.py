"""Messages per second as a mailbox grows: more messages, more folders, and a second month after the first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.mailboxes import fill
from benchmarks.measured import table
from benchmarks.pair import Pair, account
from tests.servers.dovecot import Dovecot

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measured import Run

SMALL, LARGE = (int(size) for size in os.environ.get("BENCHMARK_GROWTH", "2000,20000").split(","))


def report(scratch: Path, _rounds: int) -> str:
    """Return the table; BENCHMARK_GROWTH names other numbers of messages."""
    rows = []

    def add(name: str, messages: int, run: Run) -> None:
        each = (f"{seconds / messages * 1e3:.2f}" for seconds in run.cpu)
        rows.append((name, f"{messages:,}", f"{run.wall:.1f}", f"{messages / run.wall:,.0f}", *each))

    for name, messages, folders in (
        ("one folder", SMALL, ["INBOX"]),
        ("one folder", LARGE, ["INBOX"]),
        ("folders of 20", LARGE, [f"Folder {number}" for number in range(LARGE // 20)]),
    ):
        with Dovecot() as dovecot:
            user = dovecot.new_user()
            fill(dovecot, user, range(messages), folders)
            pair = Pair(scratch / f"{name}-{messages}", [account(dovecot, user)], raw=False)
            add(name, messages, pair.sync())
            if messages == SMALL:
                fill(dovecot, user, range(messages, 2 * messages), folders)
                add("the second month of it", messages, pair.poll())
            pair.forget()
    return table(
        ("", "messages", "wall s", "msg/s", "tap, CPU ms a message", "target, CPU ms a message"), rows
    )
