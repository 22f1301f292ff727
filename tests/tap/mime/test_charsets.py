"""Octets to text: the order in which charsets are tried, and what is refused."""

from __future__ import annotations

import codecs

import pytest

from tap_mailbox.mime.charset_names import _CODECS, codec_of
from tap_mailbox.mime.charsets import decode, decode_cp1252, decode_undeclared

UMLAUT = "Grüße"


@pytest.mark.parametrize(
    ("expected", "octets", "declared"),
    [
        (UMLAUT, UMLAUT.encode(), None),
        (UMLAUT, UMLAUT.encode(), "us-ascii"),
        (UMLAUT, UMLAUT.encode("latin-1"), None),
        (UMLAUT, UMLAUT.encode("latin-1"), "ISO_8859-1:1987"),
        (UMLAUT, UMLAUT.encode("latin-1"), "utf-8"),
        (UMLAUT, UMLAUT.encode("latin-1"), "unknown-8bit"),
        (UMLAUT, UMLAUT.encode(), "charset=utf-8"),
        ("“x” €", "“x” €".encode("cp1252"), "iso-8859-1"),
        ("a\x81b", b"a\x81b", "windows-1252"),
        ("镕", "镕".encode("gbk"), "gb2312"),
        ("日本①", b"\x1b$BF|K\\-!\x1b(B", "iso-2022-jp"),
        ("﨏日゛本", b"\x1b$By_F|!+K\\\x1b(B", "iso-2022-jp"),
        ("日本", b"\x1b$BF|K\\\x1b(B", None),
        ("한글", "한글".encode("iso2022_kr"), None),
        ("ｱ", b"\x1b(I1\x1b(B", "iso-2022-jp"),
        ("Привет", "Привет".encode("utf-16-le"), "utf-16le"),
        ("Hi там", "Hi там".encode("utf-16-le"), "utf-16"),
        ("Hi", b"\xfe\xff\0H\0i", "utf-16"),
        ("plain text", b"plain text", "utf-16"),
        ("Frösche", b"Fr+APY-sche", "unicode-1-1-utf-7"),
        ("x", b"\xef\xbb\xbfx", "utf-8"),
        ("Привет", "Привет".encode("koi8-r"), "koi8-r"),
        ("a\ufffdb", b"a\0b", "us-ascii"),
        ("", b"", "utf-8"),
    ],
)
def test_decode(expected, octets, declared):
    """The text that the octets most likely mean."""
    assert expected == decode(octets, declared, set())


def test_few_broken_sequences_leave_the_rest():
    """One cut sequence in a UTF-8 text costs one character, not the text."""
    octets = ("Grüße " * 20).encode() + b"\xc3"
    defects = set()
    assert "Grüße " * 20 + "\ufffd" == decode(octets, "utf-8", defects)
    assert {"replaced-characters", "wrong-charset"} == defects
    chinese = ("中文" * 50).encode("gb18030") + b"\xff"
    assert decode(chinese, "gbk", set()).startswith("中文" * 50)


def test_hint():
    """Octets that fit neither the declared charset nor UTF-8 take that of the rest of the message."""
    assert "Привет" == decode("Привет".encode("koi8-r"), None, set(), hint="koi8-r")
    assert "Привет" == decode_undeclared("Привет".encode("cp1251"), "windows-1251")
    assert "日本" == decode_undeclared(b"\x1b$BF|K\\\x1b(B")


@pytest.mark.parametrize(
    "name",
    [
        *("hex", "rot13", "unicode_escape", "raw_unicode_escape", "punycode", "idna", "undefined", "base64"),
        *("zlib", "mbcs", "\0", "x" * 1000, "=?utf-8?q?x?=", ""),
    ],
)
def test_refused(name):
    """A codec of Python that is no charset of mail is never applied."""
    assert codec_of(name) is None
    assert "48656c6c6f" == decode(b"48656c6c6f", name, set())


def test_every_codec_exists():
    """Each name of the list leads to a codec of the oldest supported Python."""
    for codec in set(_CODECS.values()):
        codecs.lookup(codec)


def test_cp1252_is_total():
    """All 256 octets have a character, and different ones."""
    assert len(set(decode_cp1252(bytes(range(256))))) == 256


@pytest.mark.parametrize(
    ("code", "octets", "declared"),
    [
        ("missing-charset", b"\xe9", None),
        ("unknown-charset", b"\xe9", "x-nope"),
        ("wrong-charset", b"\xe9", "utf-8"),
        ("nul-replaced", b"a\0", "utf-8"),
    ],
)
def test_defects(code, octets, declared):
    """What was wrong with the charset is said."""
    defects = set()
    decode(octets, declared, defects)
    assert {code} == defects
