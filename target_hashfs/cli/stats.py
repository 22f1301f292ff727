"""`hashfs stats`: how much there is, by account and month."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from target_hashfs.cli.arguments import archive_path, json_option
from target_hashfs.proof.stats import collect

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from target_hashfs.proof.stats import AccountStats, Count

_COLUMNS = ("messages", "variants", "eml", "bytes")


@click.command()
@archive_path
@json_option("One document.")
def stats(path: Path, *, as_json: bool) -> None:
    """Count messages, variants, .eml files and bytes by account and month, and name the first and last date.

    A month is that of the messages' date; bytes are those of the files, and `so far` adds them up.
    """
    found = collect(path)
    if as_json:
        document = {"archive_id": found.archive_id} | _as_dict(found.total())
        accounts = {name: _as_dict(each) for name, each in found.accounts.items()}
        click.echo(json.dumps(document | {"accounts": accounts}, indent=2))
        return
    for name, account in found.accounts.items():
        _show(name, account)
    _show("all accounts", found.total(), months=len(found.accounts) > 1)


def _show(name: str, stats: AccountStats, *, months: bool = True) -> None:
    click.echo(f"{name}: {_text(stats.first) or 'no date'} to {_text(stats.last) or 'no date'}")
    click.echo(f"  {'month':8}" + "".join(f"{column:>16}" for column in (*_COLUMNS, "so far")))
    so_far = 0
    for month, count in stats.months.items() if months else ():
        so_far += count.bytes
        click.echo(f"  {month:8}{_cells(count)}{so_far:16,}")
    click.echo(f"  {'all':8}{_cells(stats.total)}\n")


def _cells(count: Count) -> str:
    return "".join(f"{getattr(count, column):16,}" for column in _COLUMNS)


def _as_dict(stats: AccountStats) -> dict[str, Any]:
    months = {month: asdict(count) for month, count in stats.months.items()}
    return asdict(stats.total) | {"first": _text(stats.first), "last": _text(stats.last), "months": months}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
