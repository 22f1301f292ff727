"""A record becomes the bytes of its file; what is derived from it is computed here and nowhere else; pure."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
import pybase64

from target_hashfs.address import is_account
from target_hashfs.encoding import Order, compact
from target_hashfs.errors import RecordError

Record = dict[str, Any]

NEEDED = (
    "account", "message_id", "date", "from", "to", "cc", "bcc", "subject",
    "body_text", "body_text_source", "body_html", "attachments",
)  # fmt: skip
"""What the address and the content hash are made of; a stream without one of them is refused."""

VOLATILE = frozenset({"source", "raw"})
"""What a record may have and a file never has."""
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
    eml_sha256: str | None
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
        self._order = Order(schema)

    def message(self, record: Record) -> Message:
        """Return *record* as it is archived.

        Raises:
            RecordError: a field the address needs is unusable; the text names it, not its value.
        """
        try:
            return self.clean_message(scrub(record))
        except RecursionError:
            raise RecordError("expected a record of sane depth, found one nested too deeply") from None

    def clean_message(self, record: Record) -> Message:
        """Return *record*, which `scrub` would leave as it is, as it is archived.

        Raises:
            RecordError: as `message` does.
        """
        account = record.get("account")
        if not isinstance(account, str) or not is_account(account):
            raise RecordError(
                "account: expected a folder name ([a-z0-9][a-z0-9._@+-]{0,127}, no dot at the end), found "
                + _found(account, "another text")
            )
        derived = derive(record)
        disagreements = sum(1 for key, value in derived.items() if record.get(key) not in (None, value))
        eml = _octets(record.get("raw"))
        eml_sha256 = None if eml is None else sha256(eml).hexdigest()
        if eml_sha256 and record.get("raw_sha256") not in (None, eml_sha256):
            disagreements += 1
        kept = {
            key: value
            for key, value in (record | derived).items()
            if key not in VOLATILE and not key.startswith("_sdc_")
        }
        source = record.get("source")
        return Message(
            account=account,
            message_id=record["message_id"],
            **derived,
            document=self._order.encode(kept),
            eml=eml,
            eml_sha256=eml_sha256,
            source=source if isinstance(source, dict) else None,
            disagreements=disagreements,
        )


def derive(record: Record) -> dict[str, str]:
    """Return what follows from the rest of *record*: its message_hash, content_hash and year_month.

    Raises:
        RecordError: one of them cannot be told; the text names the field, not its value.
    """
    message_id = record.get("message_id")
    if not isinstance(message_id, str) or not message_id:
        raise RecordError(f"message_id: expected a non-empty string, found {_found(message_id, 'text')}")
    return {
        "message_hash": message_hash(message_id),
        "content_hash": content_hash(record),
        "year_month": year_month(record.get("date")),
    }


def message_hash(message_id: str) -> str:
    """Return the file name of a message: 16 hex digits."""
    return sha256(message_id.encode()).hexdigest()[:16]


def content_hash(record: Record) -> str:
    """Return what *record* says as one hash: whoever delivered it, however it was packed.

    Raises:
        RecordError: the attachments are not a list of objects, or a value is not JSON.
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
    return sha256(compact(content)).hexdigest()


def year_month(date: object) -> str:
    """Return the folder of a message: `2026/06`, in UTC; a date without zone counts as UTC.

    Raises:
        RecordError: *date* is no ISO 8601 date.
    """
    found = moment(date)
    return f"{found.year:04d}/{found.month:02d}"


def moment(date: object) -> datetime:
    """Return the moment that *date* names, in UTC; a date without zone counts as UTC.

    Raises:
        RecordError: *date* is no ISO 8601 date.
    """
    if not isinstance(date, str):
        raise RecordError(f"date: expected an ISO 8601 date, found {_found(date, 'text')}")
    try:
        found = datetime.fromisoformat(date)
    except ValueError:
        # A leap second is a date, though Python has no room for it.
        text = re.sub(r"(?<=:\d\d:)60", "59", date.strip()).upper()
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise RecordError("date: expected an ISO 8601 date, found a text that is none") from None
    if found.tzinfo is UTC:
        return found
    # The first and last hours of the calendar have no counterpart in UTC: their own month will do.
    with suppress(OverflowError):
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return found


def scrub(record: Record) -> Record:
    """Return *record* without lone surrogates and NUL: each becomes U+FFFD, in keys too."""
    # The octets are the greater part, and what is no base64 is refused.
    text = {key: value for key, value in record.items() if key != "raw"}
    try:
        if b"\\u0000" not in orjson.dumps(text):
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
        return pybase64.b64decode(raw, validate=True)
    except ValueError:
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
