"""`hashfs verify`: findings as they are made, one a line, and what was read."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from target_hashfs.cli.arguments import account_option, archive_path, jobs_option, json_option
from target_hashfs.cli.progress import progress
from target_hashfs.proof.verify import Verification
from target_hashfs.proof.walk import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_hashfs.proof.finding import Finding
    from target_hashfs.proof.verify import Totals

_MONTH = re.compile(r"([0-9]{4})[-/](0[1-9]|1[0-2])")


def _month(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    found = _MONTH.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"expected a month such as 2026-06, found {value!r}")
    return f"{found[1]}/{found[2]}"


@click.command()
@archive_path
@account_option
@click.option("--since", metavar="YYYY-MM", callback=_month, help="Only messages of this month and later.")
@jobs_option
@json_option("One document: findings, one a line, and the totals.")
def verify(path: Path, account: str | None, since: str | None, jobs: int, *, as_json: bool) -> None:
    """Check every file against itself and against the journals.

    Names the content does not have, content its hashes do not have, journals whose chain is broken, files
    without a journal line and lines without a file, strays, temporary files, modes. A run may write to the
    archive meanwhile.

    Exit 0: nothing is damaged (a note is no damage); 1: damaged, one line each says where and what to do.
    """
    verification = Verification(path, Selection(account, since), jobs=jobs, progress=progress)
    show = _show_json if as_json else _show_text
    with closing(verification.findings()) as findings:
        show(findings, verification.totals)
    sys.exit(1 if verification.totals.damage else 0)


def _show_text(findings: Iterator[Finding], totals: Totals) -> None:
    for finding in findings:
        click.echo(finding.as_text())
    legacy = f" ({totals.legacy:,} of the system before this one)" if totals.legacy else ""
    click.echo(
        f"{'damaged' if totals.damage else 'clean'}: {totals.messages:,} messages{legacy}, {totals.files:,} "
        f"files, {totals.bytes:,} bytes, {totals.lines:,} journal lines; {totals.damage:,} damaged, "
        f"{totals.notes:,} notes"
    )


def _show_json(findings: Iterator[Finding], totals: Totals) -> None:
    """Print one document piece by piece: there may be millions of findings."""
    click.echo('{"findings": [', nl=False)
    separator = "\n"
    for finding in findings:
        click.echo(f"{separator}{json.dumps(finding.as_dict(), ensure_ascii=False)}", nl=False)
        separator = ",\n"
    document = {"clean": not totals.damage} | asdict(totals)
    click.echo(f"],\n{json.dumps(document).removeprefix('{')}")
