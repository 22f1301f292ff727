"""A record becomes the bytes of its file; what is derived from it is computed here and nowhere else; pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from target_hashfs.address import is_account
from target_hashfs.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]

NEEDED = (
    "account", "message_id", "date", "from", "to", "cc", "bcc", "subject",
    "body_text", "body_text_source", "body_html", "attachments",
)  # fmt: skip
"""What the address and the content hash are made of; a stream without one of them is refused."""

_VOLATILE = frozenset({"source", "raw"})
# JSON may carry them as escapes, but no UTF-8 file can hold the first and many readers choke on the second.
_UNFIT = re.compile("[\ud800-\udfff\x00]")


@dataclass(frozen=True, slots=True)
class Message:
    """One record, ready to be written."""

    account: str
    year_month: str
    """`2026/06`."""
    message_id: str
    message_hash: str
    content_hash: str
    document: bytes
    """The content of the .json."""
    eml: bytes | None
    """The content of the .eml; None when the record carries no raw."""
    source: Record | None
    """Where and when it was seen: for the journal only."""
    disagreements: int
    """How many derived values of the record are not what they should be."""

    @property
    def size(self) -> int:
        """Bytes this message brings to the disk."""
        return len(self.document) + len(self.eml or b"")


class Canonical:
    """Turns records into messages; *schema* gives the order of keys."""

    def __init__(self, schema: Record) -> None:
        self._order = schema

    def message(self, record: Record) -> Message:
        """Return *record* as it is archived.

        Raises:
            RecordError: a field the address needs is unusable; the text names it, not its value.
        """
        try:
            return self._message(scrub(record))
        except RecursionError:
            raise RecordError("expected a record of sane depth, found one nested too deeply") from None

    def _message(self, record: Record) -> Message:
        account = record.get("account")
        if not isinstance(account, str) or not is_account(account):
            raise RecordError(
                "account: expected a folder name ([a-z0-9][a-z0-9._@+-]{0,127}, no dot at the end), found "
                + _found(account, "another text")
            )
        message_id = record.get("message_id")
        if not isinstance(message_id, str) or not message_id:
            raise RecordError(f"message_id: expected a non-empty string, found {_found(message_id, 'text')}")
        derived = {
            "message_hash": message_hash(message_id),
            "content_hash": content_hash(record),
            "year_month": year_month(record.get("date")),
        }
        disagreements = sum(1 for key, value in derived.items() if record.get(key) not in (None, value))
        eml = _octets(record.get("raw"))
        if eml is not None and record.get("raw_sha256") not in (None, sha256(eml).hexdigest()):
            disagreements += 1
        kept = {
            key: value
            for key, value in (record | derived).items()
            if key not in _VOLATILE and not key.startswith("_sdc_")
        }
        source = record.get("source")
        return Message(
            account=account,
            message_id=message_id,
            **derived,
            document=encode(arrange(kept, self._order)),
            eml=eml,
            source=source if isinstance(source, dict) else None,
            disagreements=disagreements,
        )


def message_hash(message_id: str) -> str:
    """Return the file name of a message: 16 hex digits."""
    return sha256(message_id.encode()).hexdigest()[:16]


def content_hash(record: Record) -> str:
    """Return what *record* says as one hash: whoever delivered it, however it was packed.

    Raises:
        RecordError: the attachments are not a list of objects.
    """
    content = [
        record.get("message_id"),
        record.get("date"),
        record.get("from"),
        record.get("to"),
        record.get("cc"),
        record.get("bcc"),
        record.get("subject"),
        record.get("body_text") if record.get("body_text_source") == "text" else None,
        record.get("body_html"),
        [[item.get(key) for key in ("filename", "content_type", "sha256")] for item in _attachments(record)],
    ]
    return sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def year_month(date: object) -> str:
    """Return the folder of a message: `2026/06`, in UTC; a date without zone counts as UTC.

    Raises:
        RecordError: *date* is no ISO 8601 date.
    """
    if not isinstance(date, str):
        raise RecordError(f"date: expected an ISO 8601 date, found {_found(date, 'text')}")
    # A leap second is a date, though Python has no room for it.
    text = re.sub(r"(?<=:\d\d:)60", "59", date.strip()).upper()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RecordError("date: expected an ISO 8601 date, found a text that is none") from None
    # The first and last hours of the calendar have no counterpart in UTC: their own month will do.
    with suppress(OverflowError):
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"{moment.year:04d}/{moment.month:02d}"


def scrub(record: Record) -> Record:
    """Return *record* without lone surrogates and NUL: each becomes U+FFFD, in keys too."""
    try:
        if b"\\u0000" not in orjson.dumps(record):
            return record
    except TypeError:
        pass  # a lone surrogate, or a number beyond 64 bits
    return _scrub_object(record)


def _scrub_object(value: Record) -> Record:
    return {_scrub_text(key): _scrub(item) for key, item in value.items()}


def _scrub_text(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)


def _scrub(value: object) -> object:
    if isinstance(value, str):
        return _scrub_text(value)
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    return _scrub_object(value) if isinstance(value, dict) else value


def arrange(record: Record, schema: Record) -> Record:
    """Return *record* with the keys of every object in the order of *schema*, then unknown keys sorted."""
    known: Record = schema.get("properties") or {}
    names = [key for key in known if key in record]
    if len(names) < len(record):
        names += sorted(record.keys() - known.keys())
    return {key: _arrange(record[key], known.get(key, {})) for key in names}


def _arrange(value: object, schema: Record) -> object:
    if isinstance(value, dict):
        return arrange(value, schema)
    if isinstance(value, list):
        items: Record = schema.get("items") or {}
        return [_arrange(item, items) for item in value]
    return value


def encode(document: Record) -> bytes:
    """Return *document* exactly as `json.dumps(document, ensure_ascii=False, indent=2)`, and a newline.

    Raises:
        RecordError: a value is not JSON (not a number, an object of Python's own).
    """
    if not _has_float(document.values()):
        # orjson agrees with json byte for byte but for the notation of floats (a property test says so).
        try:
            # The sum is a copy of the right size: orjson's own buffer is up to eight times as large.
            return orjson.dumps(document, option=orjson.OPT_INDENT_2 | _STRICT) + b"\n"
        except TypeError:
            pass  # a number beyond 64 bits, or something json refuses as well
    try:
        return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError):
        raise RecordError("expected JSON values only, found something that JSON cannot hold") from None


_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def _has_float(values: Iterable[Any]) -> bool:
    for value in values:
        if isinstance(value, float):
            return True
        if isinstance(value, dict):
            if _has_float(value.values()):
                return True
        elif isinstance(value, list) and _has_float(value):
            return True
    return False


def _attachments(record: Record) -> list[Record]:
    found = record.get("attachments")
    if isinstance(found, str):  # flattening turns lists into their JSON text
        try:
            found = json.loads(found)
        except ValueError:
            found = "text"
    items = found or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise RecordError(f"attachments: expected a list of objects, found {_found(found, 'other text')}")
    return items


def _octets(raw: object) -> bytes | None:
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise RecordError(f"raw: expected base64 (RFC 4648, section 4), found {_found(raw, 'text')}")
    try:
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        raise RecordError("raw: expected base64 (RFC 4648, section 4), found a text that is none") from None


def _found(value: object, text: str) -> str:  # noqa: PLR0911 - a table
    """Say what *value* is without saying what it says."""
    match value:
        case None:
            return "null or nothing"
        case "":
            return "an empty string"
        case bool():
            return "a boolean"
        case str():
            return text
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return type(value).__name__
