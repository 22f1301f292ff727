"""What the commands have in common: the archive's place, an account, how many processes, JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from target_hashfs.proof.workers import cores

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., Any])

archive_path = click.argument("path", type=click.Path(path_type=Path), default=Path())
account_option = click.option("--account", metavar="NAME", help="Only this account.")
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    default=cores,
    show_default="one for each core",
    help="Processes that read at the same time.",
)


def json_option(text: str) -> Callable[[Command], Command]:
    """Return the option `--json`; *text* says what is printed."""
    return click.option("--json", "as_json", is_flag=True, help=text)
