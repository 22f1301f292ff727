"""Runs processes, alone or on a pipe, says what each cost, and puts medians into Markdown tables."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_LAUNCHER = Path(__file__).with_name("launcher.py")
_NULL = Path(os.devnull)
# As programs run where they are installed: compiled once.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Run:
    """What one run cost; processes in the order of the pipe."""

    wall: float
    """Seconds from the start of the first to the end of the last."""
    cpu: list[float]
    """User and system seconds of each."""
    peak: list[float]
    """Resident megabytes (2^20) of each at its peak."""


def run(
    *commands: Sequence[str],
    stdin: Path = _NULL,
    stdout: Path = _NULL,
    log: Path = _NULL,
    cwd: Path | None = None,
) -> Run:
    """Run *commands* on one pipe and return what they cost.

    Raises:
        RuntimeError: one of them failed; what it said is in *log*.
    """
    order = {"stdin": str(stdin), "stdout": str(stdout), "log": str(log), "cwd": cwd and str(cwd)}
    answer = subprocess.run(
        [sys.executable, "-S", "-E", _LAUNCHER],
        input=json.dumps({"commands": commands, **order}),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=_ENVIRONMENT,
    )
    found = json.loads(answer.stdout)
    cpu, peak, codes = map(list, zip(*found["ends"], strict=True))
    if any(codes):
        raise RuntimeError(f"exit codes {codes} of {commands}; see {log}")
    return Run(found["wall"], cpu, peak)


def set_aside(path: Path) -> None:
    """Make room for a new *path* by another name for the old one, and let the disk come to rest.

    Nothing is deleted while we measure: for some minutes ext4 takes no inode that was freed, but looks at
    each of them for every new file (`recently_deleted`), which made that ten times as slow.
    """
    if path.exists():
        path.rename(next(each for number in count() if not (each := Path(f"{path}.{number}")).exists()))
    os.sync()


def alternated(contenders: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Run every contender once to warm up, then all in turn, *rounds* times."""
    for contender in contenders.values():
        contender()
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            runs[name].append(contender())
    return runs


def wall(runs: Sequence[Run]) -> float:
    """Return the median of the wall times, seconds."""
    return statistics.median(one.wall for one in runs)


def spread(runs: Sequence[Run]) -> str:
    """Return the wall times as `median (minimum to maximum)`, seconds."""
    walls = [one.wall for one in runs]
    return f"{wall(runs):.2f} ({min(walls):.2f} to {max(walls):.2f})"


def each_end(runs: Sequence[Run], figure: str, digits: int = 1) -> str:
    """Return the medians of *figure*, `cpu` or `peak`, of each process: `3.1 + 2.4`."""
    ends = zip(*(getattr(one, figure) for one in runs), strict=True)
    return " + ".join(f"{statistics.median(end):.{digits}f}" for end in ends)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table, the first column to the left, figures to the right."""
    lines = [list(head), ["---", *("--:" for _ in head[1:])], *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
