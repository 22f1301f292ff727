"""`mailbox import-state`: cursors of the system before this one, for `meltano state set`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tap_mailbox.bookmarks import STREAMS, check_state
from tap_mailbox.cli.documents import read_state
from tap_mailbox.cli.legacy_state import singer_state
from tap_mailbox.cli.output import show_json
from tap_mailbox.cli.settings import Settings, configuration_options

if TYPE_CHECKING:
    from typing import IO


@click.command("import-state")
@click.argument("state", type=click.File(encoding="utf-8"), metavar="STATE.JSON")
@configuration_options
@click.pass_obj
def import_state(settings: Settings, state: IO[str]) -> None:
    """Turn the legacy state.json into a Singer state, on stdout.

    Account names must be those of the configuration. The first run adopts the server's UIDVALIDITY where the
    file has none. A Singer state passes through.

    \b
      mailbox import-state state.json > new.json
      meltano state set prod:tap-mailbox-to-target-hashfs --input-file new.json
    """  # noqa: D301  # click wants the character
    protocols = _protocols(settings)
    converted = check_state(singer_state(read_state(state), protocols or {}))
    if protocols is None:
        click.echo("No configuration found: account names and protocols are not compared with it.", err=True)
    else:
        bookmarks = converted.get("bookmarks") or {}
        for stream in STREAMS:
            for name in (bookmarks.get(stream) or {}).get("accounts") or {}:
                if name not in protocols:
                    click.echo(
                        f"WARNING: the configuration has no account {name!r}; its bookmark is kept and "
                        "has no effect until one is called so",
                        err=True,
                    )
    # The wrapper that `meltano state set` insists on; the tap takes it as well.
    show_json({"singer_state": converted})


def _protocols(settings: Settings) -> dict[str, str] | None:
    """Return the protocol of every configured account; None without a configuration."""
    if not settings.config and settings.project() is None:
        return None
    return {account.name: account.protocol for account in settings.accounts([])}
