"""The whole folder tree of a mailbox, asked for side by side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tap_mailbox.errors import AccountError
from tap_mailbox.sources.graph.folders import WELL_KNOWN, children, special_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_mailbox.sources.graph.client import GraphClient
    from tap_mailbox.sources.graph.folders import Folder
    from tap_mailbox.sources.graph.workers import Workers

T = TypeVar("T")


def folder_tree(client: GraphClient, workers: Workers, check: Callable[[], None]) -> list[Folder]:
    """Return every mail folder, parents before their children, siblings in the service's order.

    Raises:
        AccountError: see `GraphClient.json`; or there is no folder at all, which cannot be.
    """
    specials: dict[str, str] = {}

    def special(name: str, found: str | BaseException | None) -> None:
        identity = _value(found)
        if identity is not None:
            specials[identity] = WELL_KNOWN[name]

    for name in WELL_KNOWN:
        workers.submit(partial(special_folder, client, name), partial(special, name))
    _finish(workers, check)

    below: dict[str | None, list[Folder]] = {}

    def listed(parent: Folder | None, found: list[Folder] | BaseException) -> None:
        below[parent.id if parent else None] = _value(found)
        for folder in _value(found):
            # A folder moved while the tree is walked may show up twice, even below itself.
            if folder.id not in asked:
                asked.add(folder.id)
                workers.submit(partial(children, client, folder, specials), partial(listed, folder))

    asked: set[str] = set()
    workers.submit(partial(children, client, None, specials), partial(listed, None))
    _finish(workers, check)
    folders = _in_order(below)
    if not folders:
        raise AccountError("the service names no folder at all")
    return folders


def _in_order(below: dict[str | None, list[Folder]]) -> list[Folder]:
    found: dict[str, Folder] = {}
    stack = list(reversed(below.get(None, ())))
    while stack:
        folder = stack.pop()
        if folder.id not in found:
            found[folder.id] = folder
            stack.extend(reversed(below.get(folder.id, ())))
    return list(found.values())


def _finish(workers: Workers, check: Callable[[], None]) -> None:
    while workers.outstanding:
        workers.next(check)


def _value(result: T | BaseException) -> T:
    if isinstance(result, BaseException):
        raise result
    return result
