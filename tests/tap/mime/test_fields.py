"""Header fields: where the header begins, what belongs to it and where it ends."""

from __future__ import annotations

import pytest

from tap_mailbox.mime import Limits, parse_message
from tap_mailbox.mime.fields import read_header


@pytest.mark.parametrize(
    ("fields", "body", "octets"),
    [
        ([("A", b"1"), ("B", b"2")], b"body", b"A: 1\nB: 2\n\nbody"),
        ([("A", b"1"), ("B", b"2")], b"body", b"A: 1\r\nB: 2\r\n\r\nbody"),
        ([("A", b"1 2\t3")], b"", b"A: 1\n 2\n\t3\n\n"),
        ([("A", b"1 2")], b"body", b"A:1\r\n 2\r\n\r\nbody"),
        ([("A", b""), ("A", b"2")], b"", b"A:\nA: 2\n\n"),
        ([("Subject", b"ok")], b"", b"Subject \t: ok\n\n"),
        ([("A", b"1"), ("B", b"2")], b"", b"A: 1\n \nB: 2\n\n"),
        ([("A", b"x Bcc: evil@example.org")], b"b", b"A: x\rBcc: evil@example.org\n\nb"),
        ([("A", b"1"), ("B", b"2")], b"", b"A: 1\njunk line\nB: 2\n\n"),
        ([("A", b"1"), ("B", b"2")], b"", b"A: 1\njunk\n and its fold\nB: 2\n\n"),
        ([("A", b"1")], b"This is text\nno field\n", b"A: 1\nThis is text\nno field\n"),
        ([("A", b"1")], b"--b\nx", b"A: 1\n--b\nx"),
        ([("A", b"1")], b"body", b"\xef\xbb\xbfA: 1\n\nbody"),
        ([("A", b"1")], b"body", b"From someone@example.org Fri Jun  5 10:30:45 2026\nA: 1\n\nbody"),
        ([("From", b"1")], b"body", b"From : 1\n\nbody"),
        ([("A", b"1")], b"body", b"\r\n \nA: 1\n\nbody"),
        ([("A", b"1")], b"body", b" stray\nA: 1\n\nbody"),
        ([("Überschrift", b"1")], b"", "Überschrift: 1\n\n".encode()),
        ([], b"just text", b"just text"),
        ([], b"text", b"\ntext"),
        ([("A", b"1")], b"", b"A: 1"),
        ([], b"", b""),
    ],
)
def test_read_header(fields, body, octets):
    """The fields in order with their values on one line, and the octets that follow."""
    header = read_header(octets, 0, Limits(), set())
    assert fields == header.fields
    assert body == octets[header.body :]


@pytest.mark.parametrize(
    ("code", "octets"),
    [
        ("leading-junk", b"\n\nA: 1\n\n"),
        ("junk-in-header", b"A: 1\njunk\nB: 2\n\n"),
        ("no-header-end", b"A: 1\ntext"),
        ("field-too-long", b"A: " + b"x" * 51 + b"\n\n"),
        ("too-many-fields", b"A: 1\n" * 6 + b"\n"),
    ],
)
def test_defects(code, octets):
    """What was odd about the header is said."""
    defects = set()
    read_header(octets, 0, Limits(field_bytes=50, fields=5), defects)
    assert {code} == defects


def test_a_part_may_have_no_header():
    """A part whose first line is no field is text from there on."""
    octets = b"Hello\nA: not a field\n\n"
    assert ([], 0) == ((header := read_header(octets, 0, Limits(), set(), part=True)).fields, header.body)


def test_too_many_fields_keep_the_body():
    """Beyond the limit the header is skipped, not read as text."""
    message = parse_message(b"A: 1\n" * 10 + b"\nbody\n", limits=Limits(fields=3))
    assert ("body\n", 3) == (message.body_text, len(message.headers))


def test_headers_keep_order_and_duplicates():
    """Every field stands in `headers`, unfolded, with its encoded words as they are."""
    message = parse_message(b"Received: a\n b\nX: =?utf-8?Q?=C3=B6?=\nreceived: c\n\n")
    assert (("Received", "a b"), ("X", "=?utf-8?Q?=C3=B6?="), ("received", "c")) == message.headers
