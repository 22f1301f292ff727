"""`hashfs log`: what the journals say, line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from target_hashfs.cli.arguments import account_option, archive_path, json_option
from target_hashfs.proof.finding import Finding
from target_hashfs.proof.log import Filter, parse_time, read_log
from target_hashfs.schema import load_schema

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from target_hashfs.proof.log import Line

_EVENTS = load_schema("journal-entry")["properties"]["event"]["enum"]


def _time(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    found = parse_time(value) if value is not None else None
    if value is not None and found is None:
        raise click.BadParameter(f"expected a time such as 2026-06-05 or 2026-06-05T10:30Z, found {value!r}")
    return found


@click.command()
@archive_path
@account_option
@click.option(
    "--since", metavar="TIME", callback=_time, help="Only lines written at this time (UTC) or later."
)
@click.option("--until", metavar="TIME", callback=_time, help="Only lines written before this time (UTC).")
@click.option("--run", metavar="ID", help="Only lines of this run; the beginning of its id will do.")
@click.option("--event", type=click.Choice(_EVENTS), help="Only lines of this event.")
@json_option("The lines as they are.")
def log(
    path: Path,
    *,
    account: str | None,
    since: datetime | None,
    until: datetime | None,
    run: str | None,
    event: str | None,
    as_json: bool,
) -> None:
    """Print what was archived when: time, run, event, and what it was about.

    Several journals are merged by time. A line that breaks the chain is named on standard error; hashfs
    verify says more.
    """
    for line in read_log(path, Filter(account=account, since=since, until=until, run=run, event=event)):
        if isinstance(line, Finding):
            click.echo(line.as_text(), err=True)
        elif as_json:
            click.echo(json.dumps(line.entry, ensure_ascii=False, separators=(",", ":")))
        else:
            click.echo(_text(line))


def _text(line: Line) -> str:
    entry = line.entry
    head = f"{entry.get('at')}  {str(entry.get('run'))[:8]}  {line.journal}:{entry['seq']}  {entry['event']}"
    match entry["event"]:
        case "commit":
            text = _counts(entry, ("messages", "archived", "variants", "duplicates", "quarantined", "bytes"))
        case "torn":
            text = _counts(entry, ("bytes",))
        case "quarantined":
            text = f"{entry.get('was')} to {entry.get('path')}"
        case _:
            text = f"{entry.get('path')}{_seen(entry.get('source'))}"
    return f"{head}  {text if text.isprintable() else ascii(text)}"


def _counts(entry: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{entry.get(name)} {name}" for name in names)


def _seen(source: object) -> str:
    """Return where the message was seen: folder and number, never what it says."""
    if not isinstance(source, dict):
        return ""
    place = [f"{key} {source[key]}" for key in ("folder", "uid", "path") if source.get(key) is not None]
    return f" ({', '.join(place)})" if place else ""
