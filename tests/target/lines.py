"""Singer lines to archive: complete messages, schemas and states, of which a test changes what it is about."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

from target_hashfs.schema import load_schema

Json = dict[str, Any]
STREAM = "imap_messages"
SECRETS = ("Lunch on Friday", "mallory@example.org", "The body says this")
"""Personal data in every record; none of it may appear in a log."""


def a_record(number: int = 1, *, eml: bool = True, **changes: Any) -> Json:
    """A complete record; *changes* override its keys."""
    octets = f"Message-ID: <{number}@example.org>\r\nSubject: {SECRETS[0]}\r\n\r\n{SECRETS[2]}\r\n".encode()
    record: Json = {
        "account": "gmail",
        "email": "me@example.org",
        "message_id": f"<{number}@example.org>",
        "date": "2026-06-05T10:30:45+00:00",
        "date_source": "header",
        "subject": SECRETS[0],
        "from": SECRETS[1],
        "to": "me@example.org",
        "cc": None,
        "bcc": None,
        "reply_to": None,
        "addresses": [{"role": "from", "name": None, "address": SECRETS[1]}],
        "in_reply_to": None,
        "references": [],
        "body_text": f"{SECRETS[2]} {number}\n",
        "body_text_source": "text",
        "body_html": None,
        "attachments": [],
        "headers": [{"name": "Subject", "value": SECRETS[0]}],
        "size": len(octets),
        "raw_sha256": sha256(octets).hexdigest(),
        "defects": [],
        "raw": base64.b64encode(octets).decode() if eml else None,
        "source": {"protocol": "imap", "folder": "INBOX", "uid": number, "uidvalidity": 7},
    } | changes
    record.setdefault("message_hash", None)
    if "content_hash" not in record:
        try:
            record["content_hash"] = hash_by_hand(record)
        except (KeyError, TypeError, ValueError):  # a test of what is wrong with a record
            record["content_hash"] = "0" * 64
    record.setdefault("year_month", None)
    return record


def hash_by_hand(record: Json) -> str:
    """The content hash as DESIGN.md section 4 words it, written a second time."""
    content = [record.get(key) for key in ("message_id", "date", "from", "to", "cc", "bcc", "subject")]
    content += [
        record.get("body_text") if record.get("body_text_source") == "text" else None,
        record.get("body_html"),
        [
            [each["filename"], each["content_type"], each["sha256"]]
            for each in record.get("attachments") or []
        ],
    ]
    return sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def schema_line(stream: str = STREAM, *, without: tuple[str, ...] = (), **message: Any) -> Json:
    schema = load_schema("message")
    for name in without:
        del schema["properties"][name]
    keys = ["account", "message_id", "content_hash"]
    return {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": keys} | message


def record_line(number: int = 1, *, stream: str = STREAM, **changes: Any) -> Json:
    return {"type": "RECORD", "stream": stream, "record": a_record(number, **changes)}


def state_line(uid: int, **more: Any) -> Json:
    """A STATE with one bookmark; *more* are other keys of its bookmarks."""
    folders = {"INBOX": {"uidvalidity": 7, "last_uid": uid}}
    return {
        "type": "STATE",
        "value": {"bookmarks": {STREAM: {"accounts": {"gmail": {"folders": folders}}}} | more},
    }


def uid(state: Json) -> int:
    """The bookmark in a state of `state_line`."""
    number: int = state["bookmarks"][STREAM]["accounts"]["gmail"]["folders"]["INBOX"]["last_uid"]
    return number


def stream_of(count: int, *, state_every: int = 2) -> list[Json]:
    """SCHEMA, *count* records over three months, a STATE after every few and at the end."""
    lines = [schema_line()]
    for number in range(1, count + 1):
        lines.append(record_line(number, date=f"2026-{number % 3 + 1:02d}-05T10:30:45+00:00"))
        if number % state_every == 0 or number == count:
            lines.append(state_line(number))
    return lines


def encoded(lines: list[Any]) -> bytes:
    """Singer lines as bytes; bytes and text stay as they are."""
    return b"".join(
        line
        if isinstance(line, bytes)
        else line.encode()
        if isinstance(line, str)
        else json.dumps(line).encode() + b"\n"
        for line in lines
    )
