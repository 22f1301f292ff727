"""`hashfs.json`: what it says, and how a new one is worded."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_hashfs.address import MARKER
from target_hashfs.errors import ConfigError, RootError, VersionError
from target_hashfs.journal import now

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = "hashfs"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Marker:
    """What hashfs.json says."""

    archive_id: str
    replaces: str | None
    """The archive that this one was started in place of (allow_new_archive)."""

    @classmethod
    def parse(cls, content: bytes, path: Path) -> Marker:
        """Return what *content* of the marker under *path* says.

        Raises:
            VersionError: it is of a version this program does not know.
            RootError: it is damaged.
        """
        try:
            found: Any = json.loads(content)
        except ValueError:
            found = None
        if (
            not isinstance(found, dict)
            or found.get("format") != _FORMAT
            or not isinstance(found.get("archive_id"), str)
        ):
            raise RootError(
                f'{path / MARKER} is damaged: expected {{"format": "{_FORMAT}", "version": {_VERSION}, '
                '"archive_id": "…"}. Restore it; the archive_id is in the state, under bookmarks._hashfs'
            )
        if found.get("version") != _VERSION:
            raise VersionError(
                f"{path / MARKER} says version {found.get('version')!r}, this program knows version "
                f"{_VERSION}: update it"
            )
        return cls(found["archive_id"], found.get("replaces"))


def new_marker(archive_id: str | None, *, replaces: str | None) -> bytes:
    """Return the marker of a new archive, with the id *archive_id* if one is configured.

    Raises:
        ConfigError: the configured id is no UUID.
    """
    if archive_id is not None and not _is_uuid(archive_id):
        raise ConfigError("archive_id: expected a UUID for a new archive, found another text")
    marker: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "archive_id": archive_id or str(uuid.uuid4()),
        "created": now().isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    if replaces is not None:
        marker["replaces"] = replaces
    return json.dumps(marker, indent=2).encode() + b"\n"


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
