"""A message as found → the record as schemas/message.json describes it; pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pybase64

from tap_mailbox.message import JsonMessage, RawMessage
from tap_mailbox.mime import Defect, Limits, parse_message
from tap_mailbox.mime.compose import compose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_mailbox.message import Seen
    from tap_mailbox.mime import ParsedMessage

NO_DATE = "1970-01-01T00:00:00+00:00"
"""For a message that neither its fields nor its source date: the archive needs a month to put it in."""
# What we wrote ourselves to carry JSON fields through the parser is no defect of the message.
_ARTEFACTS = frozenset({Defect.UNDECLARED_8BIT_HEADER})


def build_record(
    message: RawMessage | JsonMessage,
    *,
    account: str,
    email: str | None,
    with_raw: bool,
    fetched_at: datetime,
    limits: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the record of one message; never raises, whatever the message holds.

    *limits* are those of `mime.Limits` that differ from its defaults. *with_raw* False leaves out the octets:
    encoding them costs, and the stream would drop them again.
    """
    octets = message.octets if isinstance(message, RawMessage) else compose(message)
    parsed = parse_message(octets, internal_date=message.seen.internal_date, limits=Limits(**limits or {}))
    known = isinstance(message, RawMessage)
    defects = (
        parsed.defects
        if isinstance(message, RawMessage)
        else (*message.defects, *(each for each in parsed.defects if each not in _ARTEFACTS))
    )
    headers = parsed.headers if isinstance(message, RawMessage) else message.headers
    date = parsed.date or NO_DATE
    record: dict[str, Any] = {
        "account": account,
        "email": email,
        "message_id": parsed.message_id,
        "message_hash": hashlib.sha256(parsed.message_id.encode()).hexdigest()[:16],
        "content_hash": "",
        "date": date,
        "date_source": parsed.date_source,
        "year_month": f"{date[:4]}/{date[5:7]}",
        "subject": parsed.subject,
        "from": parsed.from_,
        "to": parsed.to,
        "cc": parsed.cc,
        "bcc": parsed.bcc,
        "reply_to": parsed.reply_to,
        "addresses": [{"role": a.role, "name": a.name, "address": a.address} for a in parsed.addresses],
        "in_reply_to": parsed.in_reply_to,
        "references": list(parsed.references),
        "body_text": parsed.body_text,
        "body_text_source": parsed.body_text_source,
        "body_html": parsed.body_html,
        "attachments": _attachments(parsed),
        "headers": [{"name": _clean(name), "value": _clean(value)} for name, value in headers],
        "size": len(octets) if known else None,
        "raw_sha256": hashlib.sha256(octets).hexdigest() if known else None,
        "defects": [str(each) for each in defects],
        "raw": pybase64.b64encode_as_string(octets) if known and with_raw else None,
        "source": _source(message.seen, fetched_at),
    }
    record["content_hash"] = content_hash(record)
    return record


def content_hash(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 hex of what the message says, as DESIGN.md section 4 defines it."""
    identity = [
        *(record[key] for key in ("message_id", "date", "from", "to", "cc", "bcc", "subject")),
        record["body_text"] if record["body_text_source"] == "text" else None,
        record["body_html"],
        [[each["filename"], each["content_type"], each["sha256"]] for each in record["attachments"]],
    ]
    # orjson agrees with json.dumps(ensure_ascii=False, separators=(",", ":")) on text, lists and null.
    return hashlib.sha256(orjson.dumps(identity)).hexdigest()


def utc_text(moment: datetime | None) -> str | None:
    """Return a moment as records have it, `2026-06-05T10:30:45+00:00`."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _attachments(parsed: ParsedMessage) -> list[dict[str, Any]]:
    return [
        {
            "part": each.part,
            "filename": each.filename,
            "content_type": each.content_type,
            "disposition": each.disposition,
            "content_id": each.content_id,
            "size": each.size,
            "sha256": each.sha256,
        }
        for each in parsed.attachments
    ]


def _source(seen: Seen, fetched_at: datetime) -> dict[str, Any]:
    return {
        "protocol": seen.protocol,
        "folder": _clean(seen.folder),
        "uid": seen.uid,
        "uidvalidity": seen.uidvalidity,
        "flags": None if seen.flags is None else [_clean(each) for each in seen.flags],
        "labels": None if seen.labels is None else [_clean(each) for each in seen.labels],
        "internal_date": utc_text(seen.internal_date),
        "graph_id": seen.graph_id,
        "gmail_msgid": seen.gmail_msgid,
        "gmail_thrid": seen.gmail_thrid,
        "path": _clean(seen.path),
        "fetched_at": utc_text(fetched_at),
    }


def _clean(text: str | None) -> str | None:
    """Return text without NUL and lone surrogates, which no JSON reader downstream can be asked to take."""
    return None if text is None else text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
