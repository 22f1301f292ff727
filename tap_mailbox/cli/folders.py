"""`mailbox folders`: what a mailbox has, what of it is read, and how far."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import click

from tap_mailbox.auth import check_keys
from tap_mailbox.bookmarks import account_state, check_state
from tap_mailbox.cli.documents import read_state
from tap_mailbox.cli.output import plural, show_json, show_table
from tap_mailbox.cli.settings import Settings, configuration_options
from tap_mailbox.errors import ConfigError, StateError
from tap_mailbox.sources.survey import mailboxes, survey

if TYPE_CHECKING:
    from typing import IO

    from tap_mailbox.config import Account
    from tap_mailbox.sources.summary import Survey

BOOKMARKS = {
    "imap": ("imap_messages", "folders"),
    "graph": ("graph_messages", "folders"),
    "files": ("file_messages", "paths"),
}
"""By protocol: the stream, and under which key of an account's state its bookmarks are."""
STATE_TIMEOUT_SECONDS = 120


@click.command()
@click.argument("name", metavar="ACCOUNT")
@click.option(
    "--state",
    "state_file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="A Singer state, or what `meltano state get` prints; - is stdin.",
)
@click.option("--state-id", metavar="ID", help="Ask Meltano for this state.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@configuration_options
@click.pass_obj
def folders(
    settings: Settings, name: str, *, state_file: IO[str] | None, state_id: str | None, as_json: bool
) -> None:
    """List the folders of an account: name, special use, whether it is read, messages, bookmark.

    \b
      mailbox folders gmail
      mailbox folders gmail --state-id prod:tap-mailbox-to-target-hashfs
    """  # noqa: D301  # click wants the character
    if state_file and state_id:
        raise click.UsageError("--state and --state-id exclude each other")
    accounts = settings.accounts([name])
    check_keys(accounts)
    state = None
    if state_file:
        state = check_state(read_state(state_file))
    elif state_id:
        state = check_state(_from_meltano(settings, state_id))
    account = _one(name, [each for account in accounts for each in mailboxes(account)])
    found = survey(account, wait=time.sleep)
    bookmarks = None if state is None else _bookmarks(state, account, found)
    if as_json:
        entries = [asdict(folder) for folder in found.folders]
        for entry in entries:
            entry["bookmark"] = None if bookmarks is None else bookmarks.get(entry["key"])
        show_json({"account": account.name, "server": found.server, "folders": entries})
        return
    headers = ["folder", "special use", "read", "messages"] + ([] if bookmarks is None else ["bookmark"])
    rows = [
        [
            folder.name,
            " ".join(folder.special),
            "yes" if folder.selected else "no",
            "?" if folder.messages is None else str(folder.messages),
            *([] if bookmarks is None else [_told(bookmarks.get(folder.key))]),
        ]
        for folder in found.folders
    ]
    show_table(headers, rows, right=("messages",))
    if bookmarks is not None and (gone := sorted(bookmarks.keys() - {each.key for each in found.folders})):
        click.echo(f"In the state, but not on the server: {', '.join(map(repr, gone))}", err=True)


def _one(name: str, accounts: list[Account]) -> Account:
    if len(accounts) == 1:
        return accounts[0]
    known = ", ".join(account.name for account in accounts) or "none"
    raise ConfigError(f"{name} stands for {plural(len(accounts), 'mailbox')}; name one of: {known}")


def _bookmarks(state: dict[str, Any], account: Account, found: Survey) -> dict[str, Any]:
    """Return the account's bookmarks by folder key."""
    stream, key = BOOKMARKS[account.protocol]
    entry = account_state(state, stream, account.name)
    bookmarks = entry.get(key) or {}
    if account.protocol == "graph" and (floor := entry.get("last_received")):
        # From there a folder that has no entry yet is read (docs/state.md).
        bookmarks = {folder.key: {"last_received": floor} for folder in found.folders} | bookmarks
    return bookmarks


def _told(bookmark: object) -> str:
    """Return a bookmark for people."""
    match bookmark:
        case {"last_uid": uid, **rest}:
            told = f"UID {uid}"
        case {"last_received": str(moment), **rest}:
            told = moment
        case {"count": count, **rest}:
            told = f"{count} read"
        case _:
            return "-"
    pending = rest.get("pending")
    return f"{told}, {len(pending)} pending" if isinstance(pending, list) and pending else told


def _from_meltano(settings: Settings, state_id: str) -> dict[str, Any]:
    """Return a state that Meltano keeps.

    Raises:
        ConfigError: there is no Meltano, or no project.
        StateError: Meltano does not give the state.
    """
    project = settings.project()
    if project is None:
        raise ConfigError("--state-id needs a Meltano project; there is no meltano.yml here or above")
    beside = Path(sys.executable).with_name("meltano")
    meltano = str(beside) if beside.exists() else which("meltano")
    if meltano is None:
        raise ConfigError("--state-id asks `meltano`, which is not on PATH; use --state FILE")
    environment = ["--environment", project.environment] if project.environment else ["--no-environment"]
    try:
        done = subprocess.run(  # noqa: S603  # no shell; the id is one argument
            [meltano, "--log-level=error", *environment, "state", "get", state_id],
            cwd=project.root,
            env={**os.environ, "MELTANO_PROJECT_ROOT": str(project.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STATE_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StateError(
            f"meltano state get {state_id} gave no answer in {STATE_TIMEOUT_SECONDS} s"
        ) from None
    if done.returncode:
        raise StateError(f"meltano state get {state_id} failed:\n{done.stderr.strip()}")
    answer = io.StringIO(done.stdout)
    answer.name = f"the state {state_id}"
    return read_state(answer)
