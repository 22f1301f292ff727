"""What people read: tables on a terminal, tab-separated lines in a pipe, names without control characters."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta


def printable(text: str) -> str:
    """Return text that cannot move the cursor or fake a line: a server chooses its folders' names."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def show_json(value: Any) -> None:  # noqa: ANN401  # whatever JSON can say
    """Print a value for programs."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=lambda time: time.isoformat()))


def show_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows under headers; the columns named in *right* are numbers."""
    clean = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in (headers, *clean):
            click.echo("\t".join(row))
        return
    # Half of this program's start would go into this import.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    for row in clean:
        # As it stands: "[Gmail]" is a folder and no markup.
        table.add_row(*map(Text, row))
    Console().print(table)


def span(time: timedelta) -> str:
    """Return a time for people, in its largest unit: `3 days`, `58 minutes`."""
    seconds = int(abs(time.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def plural(count: int, what: str) -> str:
    """Return `1 address`, `2 mailboxes`, `12,345 messages`."""
    return f"{count:,} {what}{'' if count == 1 else 'es' if what.endswith(('s', 'x')) else 's'}"
