"""One message file against itself: is what its bytes say what they should say, at that place? Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import msgspec
import orjson

from target_hashfs.address import split, stems
from target_hashfs.canonical import VOLATILE, derive
from target_hashfs.errors import RecordError
from target_hashfs.proof.finding import Code, Finding

if TYPE_CHECKING:
    from target_hashfs.canonical import Canonical, Message

Document = dict[str, Any]

_Addressed = TypedDict(
    "_Addressed",
    {
        "account": object, "message_id": object, "date": object, "from": object, "to": object, "cc": object,
        "bcc": object, "subject": object, "body_text": object, "body_text_source": object,
        "body_html": object, "attachments": object, "message_hash": object, "content_hash": object,
        "year_month": object, "raw_sha256": object, "size": object, "raw": object, "source": object,
    },
    total=False,
)  # fmt: skip
"""What name and hashes follow from; the header fields, which say nothing about them, are half of the work."""
_ADDRESSED = msgspec.json.Decoder(_Addressed)
_BEGIN, _END = b'{\n  "', b"\n}\n"
_HASH_OR_MONTH = re.compile(r"[0-9a-f]{1,64}|[0-9]{4}/[0-9]{2}")


class Examined(NamedTuple):
    """What a `.json` is."""

    finding: Finding | None = None
    """The first thing that is wrong with it."""
    is_legacy: bool = False
    """A message of the system before this one: it has no content_hash and follows no rule."""
    content_hash: str | None = None
    """Recomputed."""
    raw_sha256: str | None = None
    """Of its `.eml`, as it says."""
    size: int | None = None
    """Likewise, in bytes."""


def examine(stem: str, content: bytes, canonical: Canonical, *, as_archived: bool) -> Examined:
    """Return what the *content* of `<stem>.json` is; *stem* is relative to the root.

    A file is right if archiving what it says would write it again, at the same place. Of one that is
    *as_archived*, octet for octet what a journal line names, it is enough that its hashes and its place
    follow from what it says: in which form it says so is the journal's word.
    """
    if as_archived and (agreeing := _agreeing(stem, content)):
        return agreeing
    read = _read_quickly(content, canonical)
    if read is None or read[1].document != content:
        # Damage; or a number or an escape that only Python's own reader takes as it was written.
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            found = f"{len(content):,} bytes that are none" if content else "an empty file"
            return Examined(Finding(Code.NO_MESSAGE, f"{stem}.json", "a JSON object", found))
        if _is_legacy(document):
            return Examined(is_legacy=True)
        if not isinstance(document, dict):
            return Examined(Finding(Code.NO_MESSAGE, f"{stem}.json", "a JSON object", "another JSON value"))
        try:
            read = document, canonical.message(document)
        except RecordError as error:
            return Examined(Finding(Code.NO_MESSAGE, f"{stem}.json", "a message", f"none ({error})"))
    document, message = read
    return _examined(document, message.content_hash, _problem(stem, document, content, message))


def _examined(document: Document, content_hash: str, finding: Finding | None = None) -> Examined:
    size, raw_sha256 = document.get("size"), document.get("raw_sha256")
    return Examined(
        finding,
        content_hash=content_hash,
        raw_sha256=raw_sha256 if isinstance(raw_sha256, str) else None,
        size=size if isinstance(size, int) else None,
    )


def _agreeing(stem: str, content: bytes) -> Examined | None:
    """Return what *content* is if its hashes and its place are what they should be; None: look closer."""
    if not (content.startswith(_BEGIN) and content.endswith(_END)):
        return None
    try:
        if not content.isascii():
            content.decode()  # what it skips msgspec does not look at
        document: Document = {**_ADDRESSED.decode(content)}
        derived = derive(document)
    except (UnicodeDecodeError, msgspec.DecodeError, RecordError, RecursionError):
        return None
    if document.keys() & VOLATILE or any(document.get(key) != value for key, value in derived.items()):
        return None
    account, month = document.get("account"), derived["year_month"]
    if stem not in stems(str(account), month, derived["message_hash"], derived["content_hash"]):
        return None
    return _examined(document, derived["content_hash"])


def _read_quickly(content: bytes, canonical: Canonical) -> tuple[Document, Message] | None:
    # Archiving would replace \u0000. Python looks for five bytes twice as fast as for six.
    if b"\\u000" in content and b"\\u0000" in content:
        return None
    try:
        document = orjson.loads(content)
        return (document, canonical.clean_message(document)) if isinstance(document, dict) else None
    except (orjson.JSONDecodeError, RecordError, RecursionError):
        return None


def _is_legacy(document: object) -> bool:
    return (
        isinstance(document, dict)
        and document.get("content_hash") is None
        and isinstance(document.get("message_id"), str)
        and document["message_id"] != ""
    )


def _problem(stem: str, document: Document, content: bytes, message: Message) -> Finding | None:
    path = f"{stem}.json"
    for code, key, value in (
        (Code.CONTENT_HASH, "content_hash", message.content_hash),
        (Code.MESSAGE_HASH, "message_hash", message.message_hash),
        (Code.YEAR_MONTH, "year_month", message.year_month),
    ):
        if document.get(key) != value:
            return Finding(code, path, f"{key} {value} (recomputed)", _shown(document.get(key)))
    directory, name = split(stem)
    places = list(stems(message.account, message.year_month, message.message_hash, message.content_hash))
    right = split(places[0])[0]
    if directory != right:
        return Finding(Code.MISPLACED, path, f"it in {right}", f"it in {directory}")
    if stem not in places:
        names = " or ".join(f"{split(place)[1]}.json" for place in places[:2])
        return Finding(Code.MISNAMED, path, f"the name {names}", f"{name}.json")
    if message.document != content:
        return Finding(
            Code.NOT_CANONICAL,
            path,
            "the one form that is archived (order of keys, two spaces of indentation, a newline at the end)",
            f"another from byte {_first_difference(message.document, content):,} on",
        )
    return None


def _shown(value: object) -> str:
    if value is None:
        return "null or nothing"
    return value if isinstance(value, str) and _HASH_OR_MONTH.fullmatch(value) else "something else"


def _first_difference(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))
