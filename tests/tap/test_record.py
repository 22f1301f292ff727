"""The record: right by construction, held against the schema, recomputable from itself."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.config import parse_config
from tap_mailbox.message import JsonMessage, RawMessage, Seen
from tap_mailbox.record import build_record
from tap_mailbox.schema import load_schema
from tests.tap.runs import mail

SCHEMA = load_schema("message")
VALID = jsonschema_rs.Draft202012Validator(SCHEMA)
NOW = dt.datetime(2026, 6, 6, tzinfo=dt.UTC)
ACCOUNT = parse_config(
    {"accounts": [{"name": "mac", "protocol": "files", "path": "/x", "email": "me@example.org"}]},
    load_schema("tap-config"),
).accounts[0]


def record_of(octets: bytes, **seen):
    """Return the record of these octets."""
    message = RawMessage(octets, Seen(protocol="imap", **seen))
    return build_record(message, account="mac", email="me@example.org", with_raw=True, fetched_at=NOW)


def test_fields():
    """What the schema names is there, and nothing else, in its order."""
    octets = mail(1)
    record = record_of(octets, folder="INBOX", uid=7, uidvalidity=1, flags=("\\Seen",))
    assert list(SCHEMA["properties"]) == list(record)
    assert list(SCHEMA["properties"]["source"]["properties"]) == list(record["source"])
    assert ("<1@example.org>", "2026-06-05T10:30:45+00:00", "header", "2026/06") == tuple(
        record[key] for key in ("message_id", "date", "date_source", "year_month")
    )
    assert hashlib.sha256(b"<1@example.org>").hexdigest()[:16] == record["message_hash"]
    assert octets == base64.b64decode(record["raw"])
    assert (len(octets), hashlib.sha256(octets).hexdigest()) == (record["size"], record["raw_sha256"])


def test_content_hash_is_the_documented_one():
    """DESIGN.md section 4, spelt out."""
    record = record_of(mail(1))
    identity = [record[key] for key in ("message_id", "date", "from", "to", "cc", "bcc", "subject")]
    identity += [record["body_text"], record["body_html"], []]
    text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == record["content_hash"]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda octets: b"Received: from elsewhere; Fri, 05 Jun 2026 10:31:00 +0000\r\n" + octets, True),
        (lambda octets: octets.replace(b"\r\n", b"\n"), True),
        (lambda octets: octets.replace(b"Hello", b"Hullo"), False),
        (lambda octets: octets.replace(b"bob@", b"bop@"), False),
    ],
)
def test_content_hash_is_about_content(change, same):
    """The way a message took does not matter, what it says does."""
    assert same == (record_of(mail(1))["content_hash"] == record_of(change(mail(1)))["content_hash"])


def test_message_without_any_date_has_a_month():
    """The archive needs a place for it."""
    record = record_of(b"Subject: x\r\n\r\nbody")
    assert ("1970/01", None) == (record["year_month"], record["date_source"])


@given(st.binary(max_size=2000))
def test_any_octets_give_a_valid_record(octets):
    """One message in, one record out: schema-valid, encodable, without NUL, and always the same."""
    record = record_of(octets, internal_date=NOW)
    VALID.validate(record)
    text = json.dumps(record, ensure_ascii=False)
    text.encode("utf-8")
    assert "\\u0000" not in text
    assert record == record_of(octets, internal_date=NOW)


TEXT = st.text(max_size=60) | st.none() | st.integers() | st.lists(st.text(max_size=10), max_size=3)


KEYS = ("message_id", "date", "subject", "from", "to", "body_text", "body_html")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, TEXT)))
def test_any_json_fields_give_a_valid_record(fields):
    """So do the fields of an older archiver."""
    message = JsonMessage(fields, Seen(protocol="files", path="x.json", internal_date=NOW))
    record = build_record(message, account="mac", email="me@example.org", with_raw=True, fetched_at=NOW)
    VALID.validate(record)
    json.dumps(record, ensure_ascii=False).encode("utf-8")
    assert "no-octets" in record["defects"]
    assert (None, None, None, []) == (record["raw"], record["size"], record["raw_sha256"], record["headers"])


def test_json_fields_are_kept_as_they_are():
    """Decoded text stays decoded, the id gets its brackets, and no octets are invented."""
    fields = {
        "message_id": "abc@example.org",
        "date": "2019-03-04T05:06:07+01:00",
        "subject": "Grüße – 日本語",
        "from": "Zoë <zoe@example.org>",
        "to": ["bob@example.org", "eve@example.org"],
        "body_text": "Erste Zeile\nFrom the start\n\nEnde  ",
        "body_html": "<p>Erste Zeile</p>",
    }
    record = build_record(
        JsonMessage(fields, Seen(protocol="files")),
        account="mac",
        email="me@example.org",
        with_raw=True,
        fetched_at=NOW,
    )
    assert ("<abc@example.org>", "2019-03-04T04:06:07+00:00") == (record["message_id"], record["date"])
    assert (fields["subject"], fields["from"]) == (record["subject"], record["from"])
    assert "bob@example.org, eve@example.org" == record["to"]
    assert (fields["body_text"], fields["body_html"]) == (record["body_text"], record["body_html"])
    assert ["no-octets"] == record["defects"]


def test_fields_that_the_known_header_lacks():
    """A header that is known in part is filled up; what stands in it counts."""
    fields = {"message_id": "<1@example.org>", "subject": "from the fields", "from": "ann@example.org"}
    headers = (("X-Mailer", "q"), ("SUBJECT", "from the header"))
    seen = Seen(protocol="graph", internal_date=NOW)
    message = JsonMessage(fields, seen, headers=headers, defects=("mime-unavailable",))
    record = build_record(message, account="mac", email="me@example.org", with_raw=True, fetched_at=NOW)
    found = [record[key] for key in ("message_id", "subject", "from")]
    assert ["<1@example.org>", "from the header", "ann@example.org"] == found
    assert [{"name": name, "value": value} for name, value in headers] == record["headers"]
