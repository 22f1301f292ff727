"""Encoded words: what mailers write, and what must not come out of them."""

from __future__ import annotations

import pytest

from tap_mailbox.mime.encoded_words import decode_words


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("plain", b"plain"),
        ("aöbcd", b"a=?utf-8?Q?=C3=B6?=b=?utf-8?Q?c?==?utf-8?Q?d?="),
        ("Größe", b"=?utf-8?B?R3LDtsOf?= =?utf-8?Q?e?="),
        ("ö", b"=?utf-8?Q?=C3?= =?utf-8?Q?=B6?="),
        ("Hello", b"=?utf-8?B?SGV?= =?utf-8?B?sbG8=?="),
        ("a b", b"=?utf-8?Q?a?= =?iso-8859-1?Q?_b?="),
        ("a b", b"=?us-ascii*en?Q?a b?="),
        ("What? now", b"=?utf-8?Q?What?_now?="),
        ("Frösche", b"=?iso-8859-1?Q?Fr\xf6sche?="),
        ("日本語", b"=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?="),
        ("=?utf-8?Q?cut ok", b"=?utf-8?Q?cut =?utf-8?Q?ok?="),
        ("=?utf-8?X?foo?=", b"=?utf-8?X?foo?="),
        ("café", b"=?nope-1?Q?caf=E9?="),
        ("x", b"=??Q?x?="),
        ("", b"=?utf-8?Q??="),
        ("Grüße", "Grüße".encode("latin-1")),
        ("Re: a", b"Re: =?utf-8?q?a?="),
        ("=?", b"=?"),
    ],
)
def test_decode(expected, value):
    """The text of a field value."""
    assert expected == decode_words(value, set())


def test_nothing_is_injected():
    """Decoded line ends and NUL become one blank."""
    assert "a Bcc: evil@example.org" == decode_words(b"=?utf-8?Q?a=0D=0ABcc:_evil@example.org?=", set())
    assert "a b" == decode_words(b"=?utf-8?Q?a=00b?=", set()).replace("\ufffd", " ")


@pytest.mark.parametrize(
    ("codes", "value"),
    [
        (set(), b"=?utf-8?Q?a?="),
        ({"invalid-encoded-word"}, b"=?utf-8?B?A?="),
        ({"invalid-encoded-word"}, b"=?utf-8?X?a?="),
        ({"undeclared-8bit-header"}, b"Gr\xfc\xdfe"),
        (set(), "Grüße".encode()),
    ],
)
def test_defects(codes, value):
    """Raw UTF-8 is allowed (RFC 6532); what is guessed or cannot be read is a defect."""
    defects = set()
    decode_words(value, defects)
    assert codes == defects
