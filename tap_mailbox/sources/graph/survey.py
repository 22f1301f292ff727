"""The folders of a Graph mailbox with their item counts, and which of them a run would read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_mailbox.errors import AccountError
from tap_mailbox.sources.graph.application import Application
from tap_mailbox.sources.graph.pace import CONCURRENCY
from tap_mailbox.sources.graph.sign_in import sign_in
from tap_mailbox.sources.graph.tree import folder_tree
from tap_mailbox.sources.graph.workers import Workers
from tap_mailbox.sources.selection import selected
from tap_mailbox.sources.summary import FolderSummary, Survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_mailbox.config import Account


def survey_graph(account: Account, *, wait: Callable[[float], None]) -> Survey:
    """Return what a Graph mailbox has. See `survey`."""
    if account.graph is None:
        raise AccountError("no Graph server is configured")
    signed_in = sign_in(account, Application(_uninterrupted), wait=wait)
    workers = Workers(CONCURRENCY, name=f"graph-{account.name}")
    try:
        folders = folder_tree(signed_in.client, workers, _uninterrupted)
    finally:
        signed_in.client.close()
        workers.close()
    chosen, _ = selected(folders, include=account.include, exclude=account.exclude)
    ids = {folder.id for folder in chosen}
    address = urlsplit(account.graph.url)
    return Survey(
        server=f"{address.hostname}:{address.port or (443 if address.scheme == 'https' else 80)}",
        credential=signed_in.method.method,
        fallbacks=signed_in.fallbacks,
        folders=[
            FolderSummary(
                key=folder.id,
                name=folder.name,
                special=tuple(f"\\{use[1:].capitalize()}" for use in sorted(folder.special)),
                selected=folder.id in ids,
                messages=folder.items,
            )
            for folder in folders
        ],
    )


def _uninterrupted() -> None:
    """Nothing ends a survey early but its process."""
