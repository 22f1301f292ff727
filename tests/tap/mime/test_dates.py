"""Dates: what is written for one, which field counts, and what no mail can have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tap_mailbox.mime import parse_message
from tap_mailbox.mime.dates import parse_date
from tests.tap.mime.mails import an_eml

RECEIVED = "from a by b; Fri, 05 Jun 2026 10:30:46 +0000"
INTERNAL = datetime(2026, 6, 5, 10, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("2026-06-05T10:30:45+00:00", "Fri, 05 Jun 2026 12:30:45 +0200"),
        ("2026-06-05T10:30:45+00:00", "5 Jun 2026 12:30:45 +0200 (CEST)"),
        ("2026-06-05T10:30:00+00:00", "Fri,  5 Jun 2026 12:30 +0200"),
        ("2026-06-05T10:30:45+00:00", "Fri, 05 Jun 2026 10:30:45 GMT"),
        ("2026-06-05T01:30:45+00:00", "Fri, 05 Jun 2026 10:30:45 JST"),
        ("2026-06-05T08:30:45+00:00", "Fri, 05 Jun 2026 10:30:45 (later) CEST"),
        ("2026-06-05T14:30:45+00:00", "Fri Jun  5 10:30:45 2026 EDT"),
        ("2026-06-05T10:30:45+00:00", "Fri, 05 Jun 2026 10.30.45 +0000"),
        ("2026-06-05T10:30:45+00:00", "2026-06-05T12:30:45+02:00"),
        ("2026-06-05T10:30:45+00:00", "2026-06-05 10:30:45.123Z"),
        ("1998-02-11T17:51:00+00:00", "Wed, 11 Feb 98 11:51 CST"),
        ("2005-06-05T10:30:45+00:00", "Sun, 05 Jun 105 10:30:45 +0000"),
        ("2016-12-31T23:59:59+00:00", "Sat, 31 Dec 2016 23:59:60 +0000"),
        ("2026-06-05T10:30:45+00:00", "Fri, 05 Jun 2026 10:30:45 +9999"),
        (None, "Fri, 32 Jun 2026 10:30:45 +0000"),
        (None, "Fri, 05 Jun 9999999999 10:30:45 +0000"),
        (None, "yesterday"),
        (None, ""),
        (None, "(" * 10_000),
    ],
)
def test_parse_date(expected, value):
    """The moment in UTC."""
    moment = parse_date(value.encode())
    assert expected == (moment and moment.isoformat())


@pytest.mark.parametrize(
    ("expected", "code", "fields", "internal"),
    [
        (("2026-06-05T10:30:45+00:00", "header"), None, {"received": RECEIVED}, INTERNAL),
        (
            ("2026-06-05T10:30:46+00:00", "received"),
            "invalid-date",
            {"date": "?", "received": RECEIVED},
            INTERNAL,
        ),
        (("2026-06-05T10:31:00+00:00", "internal"), "invalid-date", {"date": "?"}, INTERNAL),
        ((None, None), "invalid-date", {"date": "?"}, None),
        (("2026-06-05T10:31:00+00:00", "internal"), "missing-date", {"date": ""}, INTERNAL),
        (
            ("2026-06-05T10:31:00+00:00", "internal"),
            "implausible-date",
            {"date": "1 Jan 2030 00:00:00 +0000"},
            INTERNAL,
        ),
        (
            ("2026-06-05T10:31:00+00:00", "internal"),
            "implausible-date",
            {"date": "31 Dec 1899 23:59:59 +0000"},
            INTERNAL,
        ),
        (
            ("1969-02-14T03:02:54+00:00", "header"),
            None,
            {"date": "Thu, 13 Feb 1969 23:32:54 -0330"},
            INTERNAL,
        ),
        (("2030-01-01T00:00:00+00:00", "header"), None, {"date": "1 Jan 2030 00:00:00 +0000"}, None),
        (("2026-06-07T10:00:00+00:00", "header"), None, {"date": "7 Jun 2026 10:00:00 +0000"}, INTERNAL),
    ],
)
def test_message_date(expected, code, fields, internal):
    """The Date field, else the newest Received field, else the server's date; never one from the future."""
    message = parse_message(an_eml(**fields), internal_date=internal)
    assert expected == (message.date, message.date_source)
    assert {code} - {None} == set(message.defects)


def test_first_date_counts():
    """Of two Date fields the first counts."""
    message = parse_message(b"Date: 1 Jan 2020 00:00:00 +0000\n" + an_eml())
    assert ("2020-01-01T00:00:00+00:00", ("duplicate-date",)) == (message.date, message.defects)


def test_naive_internal_date_is_utc():
    """An internal date without a zone is taken for UTC rather than refused."""
    message = parse_message(b"Subject: x\n\n", internal_date=INTERNAL.replace(tzinfo=None))
    assert "2026-06-05T10:31:00+00:00" == message.date
