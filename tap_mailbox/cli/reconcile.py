"""`mailbox reconcile`: every message on the server is archived, excluded, pending, newer, or named."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_mailbox.auth import check_keys
from tap_mailbox.bookmarks import FolderBookmark, account_state, check_state, has_folders
from tap_mailbox.cli.archive_index import read_archive
from tap_mailbox.cli.documents import read_state
from tap_mailbox.cli.output import plural, printable, show_json, show_table
from tap_mailbox.cli.settings import Settings, configuration_options
from tap_mailbox.errors import AccountError, ConfigError

if TYPE_CHECKING:
    from datetime import datetime
    from typing import IO

    from tap_mailbox.cli.archive_index import ArchiveIndex
    from tap_mailbox.sources.imap.census import Census, FolderCount

_SHOWN_UIDS = 20


@dataclass(slots=True)
class FolderSum:
    """What became of the messages of one folder; the parts add up to `on_server`."""

    folder: str
    on_server: int = 0
    archived: int = 0
    excluded: int = 0
    """By folders.exclude, or by start_date."""
    pending: int = 0
    newer: int = 0
    """Than the bookmark: the next run reads them."""
    vanished: int = 0
    """Deleted on the server while it was counted."""
    missing: list[int] = field(default_factory=list)
    """UIDs that should be archived and are not."""


@click.command()
@click.argument("name", metavar="ACCOUNT")
@click.option(
    "--archive",
    "path",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The archive that target-hashfs writes.",
)
@click.option(
    "--state",
    "state_file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="A Singer state, or what `meltano state get` prints; default: the archive's newest of the account.",
)
@click.option(
    "--repair",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a state under which the next run fetches what is missing.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@configuration_options
@click.pass_obj
def reconcile(
    settings: Settings,
    name: str,
    *,
    path: Path,
    state_file: IO[str] | None,
    repair: Path | None,
    as_json: bool,
) -> None:
    """Hold an IMAP account against its archive: the sum closes, or what is missing is listed (exit 3).

    \b
      mailbox reconcile gmail --archive /srv/mail-archive
      mailbox reconcile gmail --archive /srv/mail-archive --repair state.json
    """  # noqa: D301  # click wants the character
    from tap_mailbox.sources.imap.census import census  # noqa: PLC0415  # other commands need no IMAP

    account = settings.accounts([name])[0]
    if account.protocol != "imap":
        raise ConfigError(f"account {name}: reconcile counts UIDs, which protocol {account.protocol} has not")
    check_keys([account])
    given = check_state(read_state(state_file)) if state_file else None
    index = read_archive(path, account.name)
    state = index.state if given is None else given
    if index.expects_bookmark and not has_folders(state, "imap_messages", account.name):
        where = state_file.name if state_file else f"{path} (_state/state.json, commit lines of _journal)"
        raise ConfigError(
            f"expected a bookmark of account {account.name} in {where}, found none, though messages of it "
            "are archived: lost ones would pass for new ones. Name a state that has it with --state FILE"
        )
    bookmark = account_state(state, "imap_messages", account.name)
    if not isinstance(bookmark.get("folders"), dict):
        bookmark["folders"] = {}
    with census(account, limits=settings.limits, wait=time.sleep) as counted:
        sums = [
            _sum(counted, folder, index, bookmark["folders"], settings.start_date)
            for folder in counted.folders()
        ]
    _show(account.name, sums, as_json=as_json)
    missing = sum(len(each.missing) for each in sums)
    if missing and repair:
        for each in sums:
            for uid in each.missing:
                FolderBookmark(bookmark["folders"], each.folder).refuse(uid)
        try:
            repair.write_text(
                json.dumps({"singer_state": state}, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        except OSError as error:
            raise ConfigError(f"{repair} cannot be written ({error.strerror})") from None
        click.echo(f"{repair}: with this state the next run fetches what is missing", err=True)
    if missing:
        raise AccountError(
            f"{plural(missing, 'message')} on the server should be in the archive and are not; "
            + ("see above" if repair else "--repair FILE writes a state that fetches them")
        )


def _sum(
    counted: Census,
    folder: FolderCount,
    index: ArchiveIndex,
    bookmarks: dict[str, Any],
    start_date: datetime | None,
) -> FolderSum:
    """Return what became of the messages of the folder that is open."""
    found = FolderSum(folder.name, on_server=len(folder.uids))
    if not folder.selected:
        found.excluded = len(folder.uids)
        return found
    bookmark = FolderBookmark(bookmarks, folder.name)
    # Under another UIDVALIDITY the next run reads the folder from its start.
    known = bookmark.uidvalidity in (None, folder.uidvalidity)
    last_uid, pending = (bookmark.last_uid, set(bookmark.pending)) if known else (0, set[int]())
    unsure = []
    for uid in folder.uids:
        if index.holds(folder.name, folder.uidvalidity, uid):
            found.archived += 1
        elif uid in pending:
            found.pending += 1
        elif uid > last_uid:
            found.newer += 1
        else:
            unsure.append(uid)
    # A message without a line of its own was archived from another place.
    hashes = dict(counted.hashes(unsure))
    contents = dict(counted.contents([uid for uid in sorted(hashes) if hashes[uid] in index.doubtful]))
    missing = [
        uid
        for uid, hash_ in sorted(hashes.items())
        if hash_ not in index.hashes or (hash_ in index.doubtful and contents.get(uid) not in index.contents)
    ]
    found.vanished = len(unsure) - len(hashes)
    found.archived += len(hashes) - len(missing)
    old = counted.received_before(missing, start_date) if missing and start_date else set[int]()
    found.excluded += len(old)
    found.missing = [uid for uid in missing if uid not in old]
    return found


def _show(account: str, sums: list[FolderSum], *, as_json: bool) -> None:
    columns = ("on_server", "archived", "excluded", "pending", "newer", "vanished")
    if as_json:
        entries = [
            {
                "folder": each.folder,
                **{column: getattr(each, column) for column in columns},
                "missing": each.missing,
            }
            for each in sums
        ]
        show_json({"account": account, "folders": entries})
        return
    rows = [
        [each.folder, *(str(getattr(each, column)) for column in columns), str(len(each.missing))]
        for each in sums
    ]
    total = [str(sum(int(row[number]) for row in rows)) for number in range(1, len(columns) + 2)]
    headers = ["folder", *(column.replace("_", " ") for column in columns), "missing"]
    show_table(headers, [*rows, ["all", *total]], right=headers[1:])
    for each in sums:
        if each.missing:
            uids = " ".join(map(str, each.missing[:_SHOWN_UIDS]))
            more = f" and {len(each.missing) - _SHOWN_UIDS} more" if len(each.missing) > _SHOWN_UIDS else ""
            click.echo(f"missing in {printable(each.folder)}: UID {uids}{more}", err=True)
