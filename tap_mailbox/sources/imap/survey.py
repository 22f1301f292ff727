"""The folders of an IMAP account with their message counts, and which of them a run would read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mailbox.sources.imap import commands
from tap_mailbox.sources.imap.folders import list_folders
from tap_mailbox.sources.imap.replies import Refused
from tap_mailbox.sources.imap.session import Session
from tap_mailbox.sources.selection import selected
from tap_mailbox.sources.summary import FolderSummary, Survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from imapclient import IMAPClient

    from tap_mailbox.config import Account
    from tap_mailbox.sources.imap.folders import Folder


def survey_imap(account: Account, *, wait: Callable[[float], None]) -> Survey:
    """Return what an IMAP mailbox has. See `survey`."""
    session = Session(account, wait=wait)
    try:
        client = session.client()
        folders = list_folders(client)
        chosen, _ = selected(folders, include=account.include, exclude=account.exclude)
        names = {folder.name for folder in chosen}
        summaries = [
            FolderSummary(
                key=folder.name,
                name=folder.name,
                special=_special(folder),
                selected=folder.name in names,
                messages=_messages(client, folder),
            )
            for folder in folders
        ]
    finally:
        session.close()
    return Survey(
        server=session.label,
        credential=session.credential.method if session.credential else "",
        fallbacks=session.fallbacks,
        folders=summaries,
    )


def _special(folder: Folder) -> tuple[str, ...]:
    uses = {use[:2].upper() + use[2:] for use in folder.special}
    # No server says so, but the configuration knows the name (docs/accounts.md).
    return tuple(sorted(uses | ({"\\Inbox"} if folder.name.upper() == "INBOX" else set())))


def _messages(client: IMAPClient, folder: Folder) -> int | None:
    try:
        return commands.examine(client, folder).exists
    except Refused:
        # Some servers list folders that they refuse to open (research of 2026-11: iCloud).
        return None
