"""Properties: what holds for any octets, and for mutations of real messages."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import random

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.mime import Limits, parse_message
from tap_mailbox.mime.fields import read_header
from tap_mailbox.mime.parts import Splitter
from tests.tap.mime.mails import a_multipart, an_eml
from tests.tap.mime.records import CORPUS, NO_CORPUS, ROOT, corpus_files, record_of

SCHEMA = json.loads((ROOT / "schemas/message.json").read_text())
VALID = jsonschema_rs.Draft202012Validator(SCHEMA | {"required": ["message_id"]})

# Pieces that lead into every reader; between them anything.
PIECES = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\t",
        b": ",
        b"--",
        b"--b",
        b"--b--",
        b"\n\n",
        b"=?utf-8?B?",
        b"?=",
        b"=?x?q?",
        b'"',
        b"<",
        b">",
        b"(",
        b")",
        b",",
        b";",
        b"@",
        b"\\",
        b"=",
        b"=\n",
        b"\0",
        b"\x1b$B",
        b"\x1b(B",
        b"\xff",
        b"+",
        b"Content-Type: multipart/mixed; boundary=b\n",
        b"Content-Type: text/html\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: text/plain; charset=",
        b"utf-16",
        b"utf-7",
        b"gb18030",
        b"iso-2022-jp",
        b"Subject: ",
        b"From: ",
        b"To: ",
        b"Date: ",
        b"Message-ID: <",
        b"Received: ",
        b"Content-Disposition: attachment; filename*0*=",
        b"''%E4",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"References: ",
        b"Content-Transfer-Encoding: x-uuencode\n",
        b"begin 644 a\n",
        b"<p>",
        b"<pre>",
        b"</pre>",
        b"<blockquote>",
        b"<a href=http://x>",
        b"&#xD800;",
        b"&#0;",
        b"<li>",
        b"1 Jan 2020 00:00:00 +0000",
        b"Feb 30",
        b"99999999999",
    ]
)
OCTETS = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=60).map(b"".join)


def check(octets):
    """One record: in the schema, UTF-8 without NUL, the same each time, and no reader raised."""
    message = parse_message(octets)
    record = record_of(message)
    VALID.validate(record)
    assert "\\u0000" not in json.dumps(record).replace("\\\\", "")
    json.dumps(record, ensure_ascii=False).encode("utf-8")
    assert message == parse_message(octets)
    assert not {"unreadable-body", "unreadable-message"} & set(message.defects)


@given(st.binary(max_size=2_000))
def test_any_octets(octets):
    """Any octets give one record."""
    check(octets)


@given(OCTETS)
def test_any_mixture(octets):
    """So does any mixture of what mail is made of."""
    check(octets)


@given(OCTETS, OCTETS, st.sampled_from(["mixed", "alternative", "digest", "encrypted", "signed"]))
def test_any_parts(one, two, kind):
    """And anything inside of parts."""
    check(a_multipart(one, two, kind=kind))


@given(OCTETS)
def test_ranges_tile_the_message(octets):
    """Splitting loses nothing: header, preamble, delimiters, parts and epilogue follow one another."""
    for message in (octets, a_multipart(octets, b"\n" + octets), an_eml(octets)):
        root = Splitter(message, Limits(), set()).split(read_header(message, 0, Limits(), set()))
        assert message == b"".join(message[start:end] for start, end in _ranges(message, root))


def _ranges(message, root):
    """The ranges of a tree of parts in document order; what lies between parts must be a delimiter line."""
    waiting = [("part", root)]
    while waiting:
        kind, item = waiting.pop()
        if kind == "range":
            yield item
            continue
        yield item.header.start, item.header.body
        if not item.children:
            yield item.header.body, item.end
            continue
        steps = [("range", (item.header.body, item.preamble_end))]
        position = item.preamble_end
        for child in item.children:
            assert b"--" in message[position : child.header.start][:4]
            steps += [("range", (position, child.header.start)), ("part", child)]
            position = child.end
        if item.epilogue:
            assert message[position : item.epilogue].lstrip(b"\r\n").startswith(b"--")
        assert position <= item.end
        steps.append(("range", (position, item.end)))
        waiting.extend(reversed(steps))


@given(st.text(max_size=200), st.sampled_from(["utf-8", "utf-16", "gb18030", "utf-7"]))
def test_text_comes_back(text, charset):
    """What was encoded in a declared charset comes back, line ends and NUL aside."""
    text = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    body = base64.encodebytes(text.encode(charset))
    octets = an_eml(body, content_type=f"text/plain; charset={charset}", content_transfer_encoding="base64")
    assert (text.replace("\0", "\ufffd") if text.strip() else None) == parse_message(octets).body_text


@given(st.binary(max_size=500), st.sampled_from([b"\n", b"\r\n"]))
def test_attachment_comes_back(content, end):
    """What was attached as base64 has the digest of what it was."""
    part = b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(content)
    message = parse_message(a_multipart(part).replace(b"\n", end))
    assert [hashlib.sha256(content).hexdigest()] == [file.sha256 for file in message.attachments]


@given(OCTETS)
def test_line_ends_make_no_difference(octets):
    """With LF, CRLF or CR for its line ends a message gives the same values, digests of files aside."""
    lines = a_multipart(octets.replace(b"\r", b""), b"\nx")
    first, *others = [
        _without_digests(parse_message(lines.replace(b"\n", end))) for end in (b"\n", b"\r\n", b"\r")
    ]
    assert [first, first] == others


def _without_digests(message):
    bare = tuple(dataclasses.replace(file, size=0, sha256="") for file in message.attachments)
    return dataclasses.replace(message, attachments=bare)


@pytest.mark.skipif(not CORPUS.is_dir(), reason=NO_CORPUS)
def test_mutations_of_real_messages():
    """Real messages with octets changed, cut, doubled and spliced give one record each."""
    chance = random.Random(5)
    messages = [octets for _, octets in corpus_files() if len(octets) < 20_000]
    for _ in range(1_500):
        octets = bytearray(chance.choice(messages))
        for _ in range(chance.randint(1, 6)):
            start = chance.randrange(len(octets) + 1)
            end = min(start + chance.randint(0, 60), len(octets))
            other = chance.choice(messages)
            cut = chance.randrange(len(other) + 1)
            octets[start:end] = chance.choice(
                [
                    b"",
                    octets[start:end] * 2,
                    other[cut : cut + 80],
                    bytes([chance.randrange(256)]),
                    b"\n",
                    b"\r",
                    b"\0",
                ]
            )
        check(bytes(octets))
