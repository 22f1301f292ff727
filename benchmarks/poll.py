"""A poll that finds nothing new: four accounts with seven folders each, the pair on a pipe, and each end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.mailboxes import fill
from benchmarks.measured import alternated, each_end, run, spread, table
from benchmarks.meltano import Project
from benchmarks.pair import Pair, account
from tests.servers.dovecot import Dovecot

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = 4
MESSAGES = 140
"""An account."""
_PROGRAM = """#!/bin/sh
case "$*" in
  *--discover*) {discover} ;;
  *--about*) echo '{{}}' ;;
  *) {run} ;;
esac
"""


def report(scratch: Path, rounds: int) -> str:
    """Return the table."""
    with Dovecot() as dovecot:
        users = [dovecot.new_user() for _ in range(ACCOUNTS)]
        for user in users:
            fill(dovecot, user, range(MESSAGES))
        accounts = [account(dovecot, user) for user in users]
        pair = Pair(scratch / "poll", accounts)
        pair.sync()
        pair.poll()
        state = ["--state", str(pair.directory / "state.json")]
        lines = pair.directory / "lines.jsonl"
        run([*pair.tap, *state], stdout=lines, log=pair.log)
        idle = _program(scratch / "idle", discover="echo '{\"streams\": []}'", run="cat >/dev/null")
        catalog, states = pair.directory / "catalog.json", pair.states
        tap = _program(scratch / "tap", discover=f"cat '{catalog}'", run=f"cat '{lines}'")
        target = _program(scratch / "target", discover=":", run=f"cat >/dev/null; cat '{states}'")
        ours = Project(scratch / "ours", accounts)
        nothing = Project(scratch / "nothing", accounts, {"tap-mailbox": idle, "target-hashfs": idle})
        same = Project(scratch / "same", accounts, {"tap-mailbox": tap, "target-hashfs": target})
        for project in (ours, nothing, same):
            project.sync()
        runs = alternated(
            {
                "`tap-mailbox \\| target-hashfs`": pair.poll,
                "`tap-mailbox` alone": lambda: run([*pair.tap, *state], log=pair.log),
                "`target-hashfs` alone": lambda: run(pair.target, stdin=lines, log=pair.log),
                "`import singer_sdk` alone": lambda: run([pair.tap[0], "-c", "import singer_sdk"]),
                "`meltano run` with the pair": ours.poll,
                "`meltano run` with programs that repeat what ours say": same.poll,
                "`meltano run` with programs that do nothing": nothing.poll,
            },
            rounds,
        )
    return table(
        ("command", "wall s, median (range)", "CPU s", "peak MB"),
        (
            (name, spread(each), each_end(each, "cpu", 2), each_end(each, "peak", 0))
            for name, each in runs.items()
        ),
    )


def _program(path: Path, *, discover: str, run: str) -> str:
    path.write_text(_PROGRAM.format(discover=discover, run=run))
    path.chmod(0o755)
    return str(path)
