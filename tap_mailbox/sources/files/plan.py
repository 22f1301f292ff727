"""What of one directory is to be read: decided from its bookmark, looking into files only where it must."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.sources.files.bookmark import fits_directory, fits_file
from tap_mailbox.sources.files.layout import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_mailbox.sources.files.bookmark import PathBookmark
    from tap_mailbox.sources.files.listing import Found


@dataclass(slots=True)
class Plan:
    """What to do with the files of a directory."""

    kinds: dict[Found, Kind] = field(default_factory=dict)
    """The files to read, and as what."""
    unchanged: list[str] = field(default_factory=list)
    """Paths whose entries still fit."""


def plan_directory(
    relative: str, files: list[Found], bookmark: PathBookmark, look: Callable[[Found], Kind]
) -> Plan:
    """Return what to read of a directory's files; *look* is called only where stat leaves a doubt."""
    plan = Plan()
    loose: list[Found] = []
    """The files that share the directory's entry, as far as is known."""
    kinds: dict[Found, Kind] = {}
    for found in files:
        stored = None if found.in_maildir else bookmark.get(found.relative)
        if stored is None:
            loose.append(found)
        elif fits_file(stored, found):
            plan.unchanged.append(found.relative)
        else:
            kinds[found] = look(found)
    loose += [found for found, kind in kinds.items() if kind not in _NOT_LOOSE]
    stored = bookmark.get(relative)
    if not fits_directory(stored, loose):
        # A new mbox beside the other files does not mean that those have changed: look, and compare again.
        kinds |= {found: look(found) for found in loose if found not in kinds}
        loose = [found for found in loose if kinds[found] not in (Kind.MBOX, Kind.GONE)]
        if not fits_directory(stored, loose):
            plan.kinds = {found: kinds[found] for found in loose}
    if loose and not plan.kinds:
        plan.unchanged.append(relative)
    plan.kinds |= {found: kind for found, kind in kinds.items() if kind is Kind.MBOX}
    return plan


_NOT_LOOSE = (Kind.MBOX, Kind.GONE, Kind.FAILED)
"""What was an mbox and cannot be read any more says nothing about the files beside it."""
