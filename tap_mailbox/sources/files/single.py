"""A file that holds one message, read into the message."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_mailbox.message import JsonMessage, RawMessage, Seen
from tap_mailbox.sources.files import emlx, legacy_json, maildir, mbox
from tap_mailbox.sources.files.bookmark import moment_of
from tap_mailbox.sources.files.layout import HEAD_BYTES, Kind, Misfit, begins_mbox, begins_message
from tap_mailbox.sources.files.names import display

if TYPE_CHECKING:
    from pathlib import Path

    from tap_mailbox.sources.files.listing import Found

_NO_MESSAGE = {Kind.EMPTY: "empty files", Kind.FOREIGN: "files that are no mail"}


@dataclass(frozen=True, slots=True)
class Single:
    """The message of a file."""

    message: RawMessage | JsonMessage
    remark: str | None = None
    """What a person should know about it."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file without a message."""

    reason: str | None
    """A plural for the report, None if it is not worth a word."""


def read_single(path: Path, found: Found, kind: Kind, *, folder: str) -> Single | PassedOver:
    """Return what the file at *path* holds; one that holds no message is not opened.

    Raises:
        OSError: It cannot be read.
        Misfit: It is not what its layout says.
    """
    if kind not in (Kind.EML, Kind.EMLX, Kind.MAILDIR, Kind.JSON):
        return PassedOver(_NO_MESSAGE.get(kind))
    with path.open("rb", buffering=0) as stream:
        octets = stream.readall()
    seen = Seen(
        protocol="files",
        folder=folder,
        path=display(found.relative),
        flags=maildir.flags_of(found.name) if kind is Kind.MAILDIR else None,
        # Dovecot keeps INTERNALDATE as the file's time; elsewhere it is the best there is.
        internal_date=moment_of(found.mtime_ns),
    )
    if not octets:  # truncated since it was listed
        return PassedOver(_NO_MESSAGE[Kind.EMPTY])
    if kind is Kind.JSON:
        return _from_json(octets, seen, path)
    if kind is Kind.EMLX:
        return _from_emlx(octets, seen)
    if kind is Kind.EML and begins_mbox(octets[:HEAD_BYTES]):
        _check_single(octets)
    return Single(RawMessage(octets, seen))


def _check_single(octets: bytes) -> None:
    """Make sure that a file with a From_ line before its header, taken for one message, holds no further one.

    Raises:
        Misfit: it does.
    """
    pieces = mbox.split(io.BytesIO(octets), check=lambda: None)
    # In a body such a line may be a quotation: only what a header follows is a message.
    if any(begins_message(piece.octets[:HEAD_BYTES]) for piece in itertools.islice(pieces, 1, None)):
        raise Misfit(
            "is no eml file, as format: eml says: it holds several messages, each after a From_ line; set "
            "format: mbox or auto"
        )


def _from_json(octets: bytes, seen: Seen, path: Path) -> Single | PassedOver:
    fields = legacy_json.parse(octets)
    if legacy_json.is_from_hashfs(fields) and path.with_suffix(".eml").exists():
        return PassedOver("files of a hashfs archive whose message is read from the .eml beside them")
    return Single(JsonMessage(fields, seen))


def _from_emlx(octets: bytes, seen: Seen) -> Single | PassedOver:
    unwrapped = emlx.unwrap(octets)
    if not unwrapped.octets:
        return PassedOver(_NO_MESSAGE[Kind.EMPTY])
    remark = (
        f"{unwrapped.missing} octets shorter than it says; read as it lies" if unwrapped.missing else None
    )
    received = unwrapped.received or seen.internal_date
    return Single(
        RawMessage(unwrapped.octets, replace(seen, flags=unwrapped.flags, internal_date=received)), remark
    )
