"""The whole: one message in, one set of values out, whatever happens."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from tap_mailbox.mime import Address, Defect, Limits, parse, parse_message
from tests.tap.mime.mails import a_multipart, an_eml
from tests.tap.mime.records import ROOT

INTERNAL = datetime(2026, 6, 5, 10, 31, tzinfo=UTC)


def test_a_clean_message():
    """A clean message gives its values and no defect."""
    message = parse_message(
        an_eml(
            subject="=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", cc="C <c@example.org>, d@example.org", bcc="e@example.org",
            reply_to="f@example.org", sender="g@example.org",
        )
    )  # fmt: skip
    assert ("Grüße", "Alice <alice@example.org>", "bob@example.org", "C <c@example.org>, d@example.org") == (
        message.subject, message.from_, message.to, message.cc,
    )  # fmt: skip
    assert ("e@example.org", "f@example.org") == (message.bcc, message.reply_to)
    assert (
        Address("from", "Alice", "alice@example.org"),
        Address("to", None, "bob@example.org"),
        Address("cc", "C", "c@example.org"),
        Address("cc", None, "d@example.org"),
        Address("bcc", None, "e@example.org"),
        Address("reply_to", None, "f@example.org"),
        Address("sender", None, "g@example.org"),
    ) == message.addresses
    assert ("Hello\n", "text", None, (), ()) == (
        message.body_text, message.body_text_source, message.body_html, message.attachments, message.defects,
    )  # fmt: skip


def test_several_fields_of_one_name():
    """Several address fields of one name are joined; of several Subject fields the first counts."""
    message = parse_message(
        b"To: a@example.org\nTo: B <b@example.org>\nSubject: first\n" + an_eml(without=("to",))
    )
    assert ("a@example.org, B <b@example.org>", "first") == (message.to, message.subject)
    assert ["a@example.org", "b@example.org"] == [
        found.address for found in message.addresses if found.role == "to"
    ]
    assert ("duplicate-subject",) == message.defects


@pytest.mark.parametrize(
    "octets", [b"", b"\0" * 100, b"\n", b"\r", b":", b"--", bytes(range(256)) * 4, b"\xff\xfe"]
)
def test_anything_gives_a_record(octets):
    """What is no message at all has an id, a date and no exception."""
    message = parse_message(octets, internal_date=INTERNAL)
    assert message.message_id.endswith("@missing.invalid>")
    assert ("2026-06-05T10:31:00+00:00", "internal") == (message.date, message.date_source)
    assert not {"unreadable-body", "unreadable-message"} & set(message.defects)


def test_a_reader_that_fails_costs_the_body_only(monkeypatch):
    """If reading the parts raises, the header is still read."""

    def fail(*_):
        raise RecursionError

    monkeypatch.setattr(parse.Splitter, "split", fail)
    message = parse_message(an_eml())
    assert ("<1@example.org>", "Hello", None) == (message.message_id, message.subject, message.body_text)
    assert ("unreadable-body",) == message.defects


def test_even_the_header_may_fail(monkeypatch):
    """If that raises as well, the message has an id of its octets and the server's date."""

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(parse, "read_header", fail)
    octets = an_eml()
    message = parse_message(octets, internal_date=INTERNAL)
    assert f"<{hashlib.sha256(octets).hexdigest()[:32]}@missing.invalid>" == message.message_id
    assert ("2026-06-05T10:31:00+00:00", "internal", ("unreadable-message",)) == (
        message.date, message.date_source, message.defects,
    )  # fmt: skip


def test_bare_cr_is_a_line_end_only_if_nothing_else_is():
    """A bare CR ends lines in a message that has no LF near its beginning; in others it is a blank."""
    assert ("Hello", "a\nb\n") == (
        (message := parse_message(b"Subject: Hello\r\ra\rb\r")).subject, message.body_text,
    )  # fmt: skip
    message = parse_message(b"Subject: a\rBcc: evil@example.org\n\nx")
    assert ("a Bcc: evil@example.org", None) == (message.subject, message.bcc)


def test_too_large_gives_the_header():
    """A message beyond the limit has its header fields and its id, and no content."""
    message = parse_message(a_multipart("\nx", "Content-Type: a/b\n\nx"), limits=Limits(message_bytes=10))
    assert ("Hello", None, (), ("message-too-large",)) == (
        message.subject, message.body_text, message.attachments, message.defects,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "defects"),
    [
        (b"Message-ID: <4\xff@x>", ("undeclared-8bit-header",)),
        (b"Message-ID: <4@x>\nX-A: \xff", ("undeclared-8bit-header",)),
        (b"Message-ID: <4@x>\nX-A: a\0b", ("nul-replaced",)),
        (b"Message-ID: <4@x>\nX-A: gr\xc3\xbc\xc3\x9fe", ()),
    ],
)
def test_damaged_fields_are_defects(field, defects):
    """Raw octets and NUL are noted in whatever field they stand; raw UTF-8 is allowed (RFC 6532)."""
    octets = field + b"\nDate: Fri, 05 Jun 2026 10:30:45 +0000\nFrom: a@example.org\n\nHi\n"
    assert defects == parse_message(octets).defects


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "utf-32", "utf-7"])
def test_header_is_never_in_a_charset_without_ascii(charset):
    """Raw octets of a header take the charset of the text only where ASCII means ASCII."""
    octets = b"Subject: caf\xe9 au lait\nContent-Type: text/plain; charset=" + charset.encode() + b"\n\nHi\n"
    assert "café au lait" == parse_message(octets).subject


def test_every_defect_is_documented():
    """docs/archive-format.md lists exactly the codes there are."""
    _, _, table = (ROOT / "docs/archive-format.md").read_text().partition("## Defects")
    documented = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [defect.value for defect in Defect] == documented
