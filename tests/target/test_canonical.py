"""The bytes of a file, and what is derived from a record (DESIGN.md sections 4 and 6)."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_hashfs.canonical import Canonical, content_hash, message_hash, scrub, year_month
from target_hashfs.encoding import Order, compact, encode
from target_hashfs.errors import RecordError
from target_hashfs.schema import load_schema
from tests.target.lines import SECRETS, a_record, hash_by_hand

SCHEMA = load_schema("message")
ORDER = Order(SCHEMA)
canonical = Canonical(SCHEMA)
texts = st.text(st.characters(exclude_categories=()))  # lone surrogates too
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)
records = st.dictionaries(texts, values, max_size=6)


@given(records)
def test_bytes_are_those_of_json_dumps(record: dict[str, Any]) -> None:
    """Whatever encoder is quicker: the file is what json.dumps writes, and a newline."""
    clean = scrub(record)
    assert json.dumps(clean, ensure_ascii=False, indent=2).encode() + b"\n" == encode(clean)
    listed = list(clean.values())
    assert json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode() == compact(listed)


@given(records)
def test_scrub_leaves_clean_utf8(record: dict[str, Any]) -> None:
    """No lone surrogate and no NUL remains, in keys neither; nothing else changes; twice is once."""
    clean = scrub(record)
    text = json.dumps(clean, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text
    assert scrub(clean) == clean
    if text == json.dumps(record, ensure_ascii=False):
        assert clean == record


@given(records, st.randoms())
def test_order_of_keys_does_not_matter(record: dict[str, Any], random: Any) -> None:
    """Two records that are equal become equal bytes."""
    shuffled = list(record.items())
    random.shuffle(shuffled)
    arranged = ORDER.arrange(scrub(record))
    assert encode(arranged) == encode(ORDER.arrange(scrub(dict(shuffled))))
    assert encode(arranged) == ORDER.encode(arranged) == ORDER.encode(scrub(dict(shuffled)))


def test_keys_are_in_the_order_of_the_schema() -> None:
    """Known keys as schemas/message.json has them, nested too; unknown ones follow, sorted."""
    record = a_record(
        zebra=1,
        apple={"z": 1, "a": 2},
        attachments=[{"sha256": None, "x": 1, "part": "2", "filename": "f", "content_type": None}],
    )
    document = json.loads(canonical.message(dict(reversed(record.items()))).document)
    known = [key for key in SCHEMA["properties"] if key not in {"raw", "source"}]
    assert [*known, "apple", "zebra"] == list(document)
    assert ["a", "z"] == list(document["apple"])
    assert ["part", "filename", "content_type", "sha256", "x"] == list(document["attachments"][0])


def test_volatile_keys_are_not_archived() -> None:
    """source, raw and _sdc_* say nothing about what the message is."""
    message = canonical.message(a_record(_sdc_extracted_at="now", _sdc_anything=1))
    assert not {"source", "raw", "_sdc_extracted_at", "_sdc_anything"} & set(json.loads(message.document))
    assert message.source is not None
    assert message.eml is not None


def test_deselected_keys_stay_away() -> None:
    """A key that the record lacks is not in the file; the computed ones always are."""
    record = a_record()
    for key in ("headers", "email", "message_hash", "year_month", "content_hash", "size"):
        del record[key]
    document = json.loads(canonical.message(record).document)
    assert not {"headers", "email", "size"} & set(document)
    assert {"message_hash", "content_hash", "year_month"} <= set(document)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"body_text_source": "html"},
        {"body_text_source": None, "body_text": None},
        {"subject": 'Ünï \U0001f600 "quoted"\n'},
        {"attachments": [{"filename": "a", "content_type": "b", "sha256": "c", "size": 1, "part": "2"}]},
        {"attachments": None},
        {"cc": "c", "bcc": "b", "body_html": "<p>"},
    ],
)
def test_content_hash(changes: dict[str, Any]) -> None:
    """As section 4 defines it, and recomputable from the archived file alone."""
    record = a_record(**changes)
    message = canonical.message(record)
    assert hash_by_hand(record) == message.content_hash
    assert content_hash(json.loads(message.document)) == message.content_hash


def test_content_hash_ignores_the_packing() -> None:
    """Headers, size, octets, flags and a text derived from HTML say nothing new."""
    packed = a_record(headers=[], size=1, raw=None, raw_sha256=None, source=None, email="x", defects=["d"])
    assert content_hash(a_record()) == content_hash(packed)


def test_derived_values_are_computed() -> None:
    """What the record says about itself is not trusted: computed values are archived, lies are counted."""
    lies = {
        "message_hash": "f" * 16,
        "content_hash": "0" * 64,
        "year_month": "1999/01",
        "raw_sha256": "0" * 64,
    }
    honest, lying = canonical.message(a_record()), canonical.message(a_record(**lies))
    assert (0, 4) == (honest.disagreements, lying.disagreements)
    assert honest.content_hash == lying.content_hash
    document = json.loads(lying.document)
    assert (
        sha256(b"<1@example.org>").hexdigest()[:16]
        == document["message_hash"]
        == message_hash("<1@example.org>")
    )
    assert "2026/06" == document["year_month"]


def test_surrogates_and_nul_become_u_fffd() -> None:
    """Also in the hashes: what is hashed is what is archived."""
    message = canonical.message(a_record(subject="a\udce9b\x00c", message_id="<\ud800@x>"))
    document = json.loads(message.document)
    assert "a\ufffdb\ufffdc" == document["subject"]
    assert message_hash("<\ufffd@x>") == message.message_hash
    assert content_hash(document) == message.content_hash


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-06-05T10:30:45+00:00", "2026/06"),
        ("2026-06-30T23:30:00-01:00", "2026/07"),
        ("2026-06-05T10:30:45Z", "2026/06"),
        ("2026-06-05 10:30:45.123456789", "2026/06"),
        ("2026-06-05", "2026/06"),
        ("20260605T103045Z", "2026/06"),
        ("2016-12-31T23:59:60Z", "2016/12"),
        ("0099-03-01T00:00:00+00:00", "0099/03"),
        ("0001-01-01T00:00:00+14:00", "0001/01"),
        ("9999-12-31T23:59:59-12:00", "9999/12"),
    ],
)
def test_year_month(date: str, expected: str) -> None:
    """Any ISO 8601 date, in UTC; the file keeps the date as it came."""
    assert expected == year_month(date)
    assert date == json.loads(canonical.message(a_record(date=date)).document)["date"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"date": None}, "date"),
        ({"date": "yesterday"}, "date"),
        ({"date": "12026-01-01T00:00:00Z"}, "date"),
        ({"date": 5}, "date"),
        ({"message_id": ""}, "message_id"),
        ({"message_id": None}, "message_id"),
        ({"account": "../etc"}, "account"),
        ({"account": "Gmail"}, "account"),
        ({"account": ""}, "account"),
        ({"account": None}, "account"),
        ({"account": "a."}, "account"),
        ({"account": "_journal"}, "account"),
        ({"account": ".hidden"}, "account"),
        ({"account": "a/b"}, "account"),
        ({"account": "a" * 129}, "account"),
        ({"account": "\u0430"}, "account"),
        ({"account": "hashfs.json"}, "account"),
        ({"account": "a\n"}, "account"),
        ({"raw": "not base64!"}, "raw"),
        ({"raw": "YQ"}, "raw"),
        ({"raw": "ü"}, "raw"),
        ({"raw": 7}, "raw"),
        ({"attachments": "none"}, "attachments"),
        ({"attachments": ["text"]}, "attachments"),
        ({"x": float("inf")}, "JSON"),
    ],
)
def test_unusable_records_are_refused(changes: dict[str, Any], field: str) -> None:
    """The error names the field and what was found there, never the value."""
    with pytest.raises(RecordError, match=field) as caught:
        canonical.message(a_record(**changes))
    for secret in (*SECRETS, "yesterday", "../etc", "Gmail", "not base64!"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("account", ["a", "0", "a" * 128, "me@example.org", "a.b-c_d+e", "a..b"])
def test_accounts(account: str) -> None:
    """What section 3 allows as a folder name."""
    assert account == canonical.message(a_record(account=account)).account


def test_raw_becomes_octets() -> None:
    """The .eml is exactly what was fetched."""
    octets = bytes(range(256))
    message = canonical.message(a_record(raw=base64.b64encode(octets).decode()))
    assert octets == message.eml
    assert canonical.message(a_record(eml=False)).eml is None


def test_deep_nesting_is_an_error() -> None:
    """A record nested beyond reason is refused, not crashed on."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(RecordError, match="deep"):
        canonical.message(a_record(x=deep))
