"""Walks over the archive: for a tree of the system before this one, and for what dead runs left in it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from target_hashfs.address import MONTH, YEAR, is_temporary, split
from target_hashfs.store import Kind, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def is_legacy_tree(path: Path) -> bool:
    """Whether at least one `<account>/<YYYY>/<MM>/*.json` below *path* has a message_id."""
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    store = Store(directory)
    try:
        return any(
            _is_message(store, path)
            for account in accounts(store)
            for path in files(store, account)
            if path.endswith(".json")
        )
    finally:
        store.forget_directories()
        os.close(directory)


def accounts(store: Store) -> list[str]:
    """Return the names of what may be the directories of accounts."""
    return [name for name in store.names("") if not name.startswith(("_", "."))]


def files(store: Store, account: str) -> Iterator[str]:
    """Yield the path of every file where messages of *account* lie, whatever it is."""
    for year in filter(YEAR.fullmatch, store.names(account)):
        for month in filter(MONTH.fullmatch, store.names(f"{account}/{year}")):
            for name in store.names(f"{account}/{year}/{month}"):
                yield f"{account}/{year}/{month}/{name}"


def temporaries(store: Store, account: str) -> Iterator[str]:
    """Yield the path of every temporary file of a commit among the messages of *account*."""
    return (path for path in files(store, account) if is_temporary(split(path)[1]))


def _is_message(store: Store, path: str) -> bool:
    found = store.look(path)
    if found is None or found.kind is not Kind.FILE:
        return False
    try:
        document = json.loads(found.content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("message_id"), str)
