"""Cost: hostile families grow no faster than their size; a large message fits into four times its size."""

from __future__ import annotations

import base64
import tracemalloc

import pytest

from tap_mailbox.mime import parse_message
from tests.tap.mime.mails import a_multipart, an_eml

SIZE = 10_000
FAMILIES = {
    "addresses": lambda n: an_eml(to=", ".join(f"A{i} <a{i}@example.org>" for i in range(n))),
    "commas": lambda n: an_eml(to="," * (20 * n)),
    "quotes": lambda n: an_eml(to='"' * (20 * n)),
    "escaped quotes": lambda n: an_eml(to='"' + '\\"' * (10 * n)),
    "parentheses": lambda n: an_eml(to="(" * (20 * n)),
    "colons": lambda n: an_eml(to="a:" * (10 * n) + ";"),
    "angles": lambda n: an_eml(to="<" * (20 * n)),
    "angles and quotes": lambda n: an_eml(to='<"' * (10 * n)),
    "dots": lambda n: an_eml(to="." * (20 * n)),
    "parameters": lambda n: an_eml(content_type="text/plain" + "; a=b" * (4 * n)),
    "semicolons": lambda n: an_eml(content_type="text/plain" + ";" * (20 * n)),
    "comments": lambda n: an_eml(content_type="text/plain " + "(" * (20 * n)),
    "continuations": lambda n: an_eml(content_type="a/b; " + "; ".join(f"name*{i}*=x" for i in range(2 * n))),
    "encoded words": lambda n: an_eml(subject="=?utf-8?Q?a?= " * (2 * n)),
    "word openings": lambda n: an_eml(subject="=?utf-8?Q?" * (2 * n) + "?="),
    "charset openings": lambda n: an_eml(subject="=?" * (10 * n)),
    "folds": lambda n: an_eml(subject="x" + "\n x" * (7 * n)),
    "fields": lambda n: b"A: b\n" * (4 * n) + an_eml(),
    "junk lines": lambda n: b"A: b\n" + b"junk\nA: b\n" * (2 * n) + b"\n",
    "parts": lambda n: a_multipart(*["Content-Type: text/plain\n\nA short part of a long message."] * n),
    "parts without a blank line": lambda n: a_multipart(
        *["Content-Description: a header and no end of it"] * n
    ),
    "parts without their own": lambda n: a_multipart(*["Content-Type: multipart/mixed\n\nx"] * (n // 2)),
    "nesting": lambda n: _nested(n // 3),
    "dashes": lambda n: a_multipart("\n" + "--c\n" * (5 * n)),
    "ids": lambda n: an_eml(references="<a@x>" * (4 * n), message_id="<" * (5 * n)),
    "dates": lambda n: an_eml(date="(" * (10 * n), received="(" * (10 * n)),
    "base64 padding": lambda n: an_eml("A=" * (10 * n), content_transfer_encoding="base64"),
    "base64 junk": lambda n: an_eml("A*\n" * (7 * n), content_transfer_encoding="base64"),
    "soft breaks": lambda n: an_eml("= " * (10 * n), content_transfer_encoding="quoted-printable"),
    "uuencode": lambda n: an_eml("begin 644 a\n" + "!!!\n" * (5 * n), content_transfer_encoding="x-uuencode"),
    "HTML depth": lambda n: an_eml("<div>" * (4 * n), content_type="text/html"),
    "HTML pre": lambda n: an_eml("<pre>" * (4 * n), content_type="text/html"),
    "HTML quotes": lambda n: an_eml("<blockquote>" * (2 * n) + "x", content_type="text/html"),
    "HTML comments": lambda n: an_eml("<!--" * (5 * n), content_type="text/html"),
    "HTML brackets": lambda n: an_eml("<" * (20 * n), content_type="text/html"),
    "enriched": lambda n: an_eml("<" * (10 * n) + "<param>" * n, content_type="text/enriched"),
    "utf-7": lambda n: an_eml("+" * (20 * n), content_type="text/plain; charset=utf-7"),
    "escape sequences": lambda n: an_eml("\x1b$B" * (7 * n)),
    "blank lines": lambda n: b"\n \t\r\n" * (5 * n) + an_eml(),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_growth(family):
    """Some hundred kilobytes of anything are read: what is quadratic in them takes minutes, and times out.

    How fast, and how the time grows, is measured by benchmarks/mime.py --growth.
    """
    assert parse_message(FAMILIES[family](SIZE)).message_id


def _nested(levels):
    return b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (i, i) for i in range(levels))


MEGABYTES = 8_000_000
LARGE = {
    "base64": lambda: a_multipart(
        b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(bytes(MEGABYTES))
    ),
    "8bit": lambda: a_multipart(b"Content-Type: a/b\n\n" + b"x" * 70 * (MEGABYTES // 70)),
    "text": lambda: an_eml("Grüße und mehr davon\r\n" * (MEGABYTES // 24)),
    "quoted-printable": lambda: an_eml(
        "Gr=FC=DFe =\r\n" * (MEGABYTES // 13), content_transfer_encoding="quoted-printable"
    ),
    "chinese": lambda: an_eml("中文" * (MEGABYTES // 6)),
    "HTML": lambda: an_eml("<p>Hello <b>World</b></p>\r\n" * (MEGABYTES // 27), content_type="text/html"),
    "HTML of links": lambda: an_eml(
        '<p>hello <a href="https://x.example/">w</a></p>\n' * 100_000, content_type="text/html"
    ),
    "attached message": lambda: a_multipart(
        b"Content-Type: message/rfc822\n\n" + b"Hello\r\n" * (MEGABYTES // 7)
    ),
    "no header": lambda: b"Hello\r\n" * (MEGABYTES // 7),
    "one field": lambda: an_eml(subject="x" * MEGABYTES),
    "preamble": lambda: a_multipart("\nx").replace(b"\n\n", b"\n\n" + b"Hello\n" * (MEGABYTES // 6), 1),
}


@pytest.mark.parametrize("kind", LARGE)
def test_memory(kind):
    """Reading a large message takes at most four times its size, itself not counted."""
    octets = LARGE[kind]()
    tracemalloc.start()
    try:
        parse_message(octets)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(octets), peak / len(octets)
