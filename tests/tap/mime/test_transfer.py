"""Transfer decoding: what is broken gives what it still holds."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.mime.transfer import content_of, encoding_of

LINES = base64.encodebytes(bytes(range(256)) * 2)


@pytest.mark.parametrize(
    ("expected", "encoded"),
    [
        (b"Hello", b"SGVsbG8="),
        (b"Hello", b"SGVs\r\nbG8=\r\n"),
        (b"Hello wo", b"SGVsbG8gd29"),
        (b"Hello", b"SGVsbG8"),
        (b"Hell", b"SGVsbA==x"[:-1]),
        (b"Hello world", b"SGVsbG8=\nIHdvcmxk"),
        (b"Hello world", b"SGVsbG8gd28=\ncmxk"),
        (b"Hello", b"SGVs*bG8="),
        (bytes(range(256)) * 2, LINES + b"_______\nA mailing list\nhttps://lists.example.org/\n"),
        (bytes(range(256)) * 2, LINES.rstrip(b"=\n") + b"\n--- a footer ---\n"),
        (b"", b""),
        (b"", b"===="),
        (b"", b"A"),
    ],
)
def test_base64(expected, encoded):
    """Whole, cut, joined or with a footer below: the octets that are there."""
    assert expected == content_of(encoded, 0, len(encoded), "base64", set())


@given(st.text("Az09+/ \t\r\n", max_size=300), st.integers(0, 2))
def test_base64_as_python_reads_it(text, padding):
    """Where Python's own decoder takes the octets, so do we, and alike; it is ours that is fast (ADR 9)."""
    encoded = text.encode() + b"=" * padding
    try:
        expected = binascii.a2b_base64(encoded)
    except binascii.Error:
        return
    assert expected == content_of(encoded, 0, len(encoded), "base64", set())


@pytest.mark.parametrize(
    ("expected", "encoded"),
    [
        (b"a=b", b"a=3Db"),
        (b"long line", b"long =\nline"),
        (b"long line", b"long =\r\nline"),
        (b"long line", b"long = \t\r\nline"),
        (b"long line", b"long =\rline"),
        (b"a=ZZb", b"a=ZZb"),
        (b"end", b"end="),
        (b"a\r\nb", b"a\r\nb"),
        (b"\xc3\xbc", b"=c3=BC"),
    ],
)
def test_quoted_printable(expected, encoded):
    """Soft line breaks in all their spellings; what is no escape stays as it is."""
    assert expected == content_of(encoded, 0, len(encoded), "quoted-printable", set())


@pytest.mark.parametrize(
    ("expected", "encoded"),
    [
        (b"Hello", b"begin 644 a.txt\n%2&5L;&\\\n`\nend\n"),
        (b"Hello", b"text before\r\nbegin 644 a.txt\r\n%2&5L;&\\\r\n"),
        (b"Hello", b"begin 644 a\n%2&5L;&\\xxxx\nend\n"),
        (b"no uuencode", b"no uuencode"),
    ],
)
def test_uuencode(expected, encoded):
    """Lines between begin and end, an overlong one included; what has no begin stays as it is."""
    assert expected == content_of(encoded, 0, len(encoded), "uuencode", set())


def test_identity_is_exact():
    """7bit, 8bit and binary content is the octets of the range, line ends included."""
    octets = b"header\r\n\r\na\r\nb\nc\rd"
    for encoding in ("identity", "binary"):
        assert b"a\r\nb\nc" == content_of(octets, 10, len(octets) - 2, encoding, set())


@pytest.mark.parametrize(
    ("encoding", "value"),
    [
        ("base64", b"BASE64"),
        ("base64", b"base64; some text"),
        ("base64", b"base-64 (comment)"),
        ("quoted-printable", b"quoted/printable"),
        ("identity", b'"8-bit" (comment)'),
        ("identity", b""),
        ("binary", b"Binary"),
        ("uuencode", b"x-uuencode"),
        ("identity", b"nonsense"),
    ],
)
def test_encoding_of(encoding, value):
    """Names are compared by their first word, letters and digits only."""
    assert encoding == encoding_of(value, set())
