"""Ids: Message-ID in all its spellings, and the id of a message that has none."""

from __future__ import annotations

import hashlib

import pytest

from tap_mailbox.mime import Limits, parse_message
from tests.tap.mime.mails import an_eml


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("<a@example.org>", "<a@example.org>"),
        ("<AbC@Example.org>", "junk <AbC@Example.org> <second@example.org>"),
        ("<abc.def@example.org>", "<abc.def\n @example.org>"),
        ("<a b>".replace(" ", ""), "< a\t b >"),
        ("<a@example.org>", "a@example.org"),
        ("<a@example.org>", "<a@example.org"),
        ("<[x@y]>", "<[x@y]>"),
        ("<ü@example.org>", "<ü@example.org>"),
    ],
)
def test_message_id(expected, value):
    """What stands in the first angle brackets, without blanks, case kept; else all of the text."""
    assert expected == parse_message(an_eml(message_id=value)).message_id


def test_first_message_id_counts():
    """Of two Message-ID fields the first counts."""
    message = parse_message(b"Message-Id: <first@example.org>\n" + an_eml())
    assert ("<first@example.org>", ("duplicate-message-id",)) == (message.message_id, message.defects)


def expected_id(*values: bytes, body: bytes) -> str:
    digest = hashlib.sha256(b"".join(value + b"\n" for value in values) + body).hexdigest()
    return f"<{digest[:32]}@missing.invalid>"


@pytest.mark.parametrize("value", [None, "", "<>", "< \t>", " \n "])
def test_missing_message_id(value):
    """Without an id the message gets one from Date, From, To, Cc, Subject and its body."""
    octets = an_eml(
        **{"message_id": value} if value is not None else {}, without=() if value else ("message-id",)
    )
    wanted = expected_id(
        b"Fri, 05 Jun 2026 12:30:45 +0200", b"Alice <alice@example.org>", b"bob@example.org", b"", b"Hello",
        body=b"Hello\n",
    )  # fmt: skip
    message = parse_message(octets)
    assert (wanted, ("missing-message-id",)) == (message.message_id, message.defects)


def test_raw_values():
    """Raw: folds and encoded words as they are, blanks after the colon off, the first of several fields."""
    octets = (
        b"To:  a@example.org,\n\tb@example.org \nSubject: =?utf-8?Q?=C3=B6?=\nSubject: second\n\nbody\r\nend"
    )
    wanted = expected_id(
        b"", b"", b"a@example.org,\n\tb@example.org ", b"", b"=?utf-8?Q?=C3=B6?=", body=b"body\nend"
    )
    assert wanted == parse_message(octets).message_id


def test_two_ways_one_id():
    """Received fields and the style of line ends make no difference."""
    octets = an_eml("Hello\n\nBob\n", without=("message-id",), to="a@example.org,\n b@example.org")
    ways = [octets, octets.replace(b"\n", b"\r\n"), octets.replace(b"\n", b"\r"), b"Received: x\n" + octets]
    assert 1 == len({parse_message(way).message_id for way in ways})
    assert parse_message(octets).message_id != parse_message(octets + b"more").message_id


def test_references():
    """In-Reply-To gives its first id, References all of them, in order."""
    message = parse_message(
        an_eml(in_reply_to="Yours of today <a@x> <b@x>", references="<1@x>\n <2\n @x><3@x> <>")
    )
    assert ("<a@x>", ("<1@x>", "<2@x>", "<3@x>")) == (message.in_reply_to, message.references)
    plain = parse_message(an_eml())
    assert (None, ()) == (plain.in_reply_to, plain.references)


def test_reference_limit():
    """Ids beyond the limit are left out."""
    message = parse_message(an_eml(references="<a@x>" * 100), limits=Limits(references=7))
    assert (7, ("too-many-references",)) == (len(message.references), message.defects)
