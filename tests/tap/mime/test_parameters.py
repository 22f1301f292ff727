"""Parameters of Content-Type and Content-Disposition."""

from __future__ import annotations

import pytest

from tap_mailbox.mime import Limits
from tap_mailbox.mime.parameters import parse_parameters


@pytest.mark.parametrize(
    ("main", "parameters", "value"),
    [
        ("text/plain", {}, b"text/plain"),
        ("text/plain", {"charset": "utf-8"}, b'Text/PLAIN; Charset="utf-8"'),
        ("text/plain", {"charset": "utf-8"}, b"text/plain charset=utf-8"),
        ("text/plain", {"charset": "utf-8", "format": "flowed"}, b"text/plain; charset=utf-8 format=flowed"),
        ("text/plain", {"charset": "utf-8"}, b"text/plain; charset=utf-8; charset=koi8-r"),
        ("text/plain", {"charset": "us-ascii"}, b"text/plain; charset=us-ascii (Plain (7-bit) text)"),
        ("text/plain", {"charset": "x"}, b"text/plain (a;b=c); charset=x"),
        ("text/plain", {}, b"text/plain ((((unclosed; charset=x"),
        ("text/plain", {"name": "a;b.txt"}, b'text/plain; name="a;b.txt"'),
        ("text/plain", {"name": 'a"b'}, b'text/plain; name="a\\"b"'),
        ("attachment", {"filename": "C:\\temp\\a.txt"}, b'attachment; filename="C:\\temp\\a.txt"'),
        ("attachment", {"filename": "my file"}, b"attachment; filename=my file; name.txt"),
        ("attachment", {"filename": "open"}, b'attachment; filename="open'),
        ("attachment", {"filename": "ü.txt"}, b'attachment; filename="=?utf-8?Q?=C3=BC.txt?="'),
        ("attachment", {"filename": "ü.txt"}, 'attachment; filename="ü.txt"'.encode("latin-1")),
        ("attachment", {"filename": "€ rates.txt"}, b"attachment; filename*=UTF-8''%e2%82%ac%20rates.txt"),
        (
            "attachment",
            {"filename": "ä b.txt"},
            b"attachment; filename*0*=utf-8''%C3%A4; filename*1=\" b\"; filename*2*=%2Etxt",
        ),
        ("attachment", {"filename": "ab"}, b"attachment; filename*1=b; filename*0=a"),
        ("attachment", {"filename": "ü"}, b"attachment; filename=fallback; filename*=utf-8''%C3%BC"),
        ("attachment", {"filename": "a'b"}, b"attachment; filename*=a'b"),
        ("attachment", {}, b"attachment; filename*99999999999999999999=a; filename*x*=b"),
        ("", {"filename": "a.txt"}, b"filename=a.txt"),
        ("", {}, b""),
        ("", {}, b"; ; ;"),
    ],
)
def test_parse(main, parameters, value):
    """What stands before the first semicolon in lower case, and the parameters after it."""
    assert (main, parameters) == parse_parameters(value, Limits(), set())


def test_limit():
    """Parameters beyond the limit are not read."""
    defects = set()
    value = b"a/b" + b"".join(b"; p%d=x" % number for number in range(20))
    assert 5 == len(parse_parameters(value, Limits(parameters=5), defects)[1])
    assert {"too-many-parameters"} == defects


def test_cached_values_keep_their_defects():
    """A value that was read before gives its defects again."""
    for _ in range(2):
        defects = set()
        parse_parameters(b"a/b; a=1; b=2", Limits(parameters=1), defects)
        assert {"too-many-parameters"} == defects
