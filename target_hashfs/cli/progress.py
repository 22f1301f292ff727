"""A progress bar on standard error, when that is a terminal: messages, rate and remaining time."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_hashfs.proof.verify import Totals

_BETWEEN_UPDATES_SECONDS = 0.1


@contextmanager
def progress() -> Iterator[Callable[[Totals], None]]:
    """Show a bar while inside; yield whom to tell what was read."""
    if not sys.stderr.isatty():
        yield lambda _totals: None
        return
    # Only here: to import it takes longer than many an answer.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("verifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, rate="reading the journals")
        begun = time.monotonic()
        shown = 0.0

        def tell(totals: Totals) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown < _BETWEEN_UPDATES_SECONDS:
                return
            shown = now
            rate = f"{totals.bytes / max(now - begun, 0.1) / 1e6:,.0f} MB/s"
            total = max(totals.expected, totals.messages)
            bar.update(task, completed=totals.messages, total=total, rate=rate)

        yield tell
