"""What a file is taken for, and what is read out of its name and its wrapping."""

from __future__ import annotations

import json
import plistlib
from datetime import UTC, datetime

import pytest

from tap_mailbox.sources.files.emlx import unwrap
from tap_mailbox.sources.files.layout import Kind, Misfit, is_control_file, kind_of
from tap_mailbox.sources.files.legacy_json import parse
from tap_mailbox.sources.files.maildir import flags_of
from tap_mailbox.sources.files.names import bookmark_key, display, one_line
from tests.tap.files.trees import eml, mbox_of


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.eml", eml(), Kind.EML),
        ("a.EML", b"\x00\x01", Kind.EML),
        ("1234", eml(), Kind.EML),
        ("1234", b"Received: by host\r\n\twith SMTP\r\n", Kind.EML),
        ("1234", b"\xef\xbb\xbf\n\nX-Odd: 1\nMessage-ID: <1@example.org>\n", Kind.EML),
        ("a.eml", mbox_of(eml()), Kind.MBOX),
        ("inbox", b"\n" + mbox_of(eml()), Kind.MBOX),
        ("inbox", b"From \r\nSubject: a\r\n", Kind.MBOX),
        ("inbox", b"From nobody in particular\nSubject: a\n", Kind.FOREIGN),
        ("inbox", mbox_of(eml()).replace(b"\n", b"\r"), Kind.FOREIGN),
        ("a.emlx", b"12 \nSubject: a\n", Kind.EMLX),
        ("a.json", b"{}", Kind.JSON),
        ("notes.txt", b"Note: buy milk\n\nSubject: none\n", Kind.FOREIGN),
        ("notes.txt", b"Dear all\nSubject: a\n", Kind.FOREIGN),
        ("a.jpg", b"\xff\xd8\xff\xe0", Kind.FOREIGN),
        ("subscriptions", b"V\t2\n\nSent\n", Kind.CONTROL),
        ("subscriptions", mbox_of(eml()), Kind.MBOX),
    ],
)
def test_auto(name, head, expected):
    """The octets say what a file is; the name only where they do not."""
    assert expected is kind_of("auto", name, head)


@pytest.mark.parametrize(
    ("layout", "name", "head", "expected"),
    [
        ("eml", "a", eml(), Kind.EML),
        ("eml", "a.eml", b"\x00", Kind.EML),
        ("eml", "a", mbox_of(eml()), Kind.EML),
        ("eml", "a.emlx", b"1\n", Kind.EMLX),
        ("eml", "a.jpg", b"\xff\xd8", None),
        ("mbox", "a", mbox_of(eml()), Kind.MBOX),
        ("mbox", "a.eml", eml(), None),
        ("mbox", "subscriptions", b"Sent\n", Kind.CONTROL),
        ("json", "a", b"{", Kind.JSON),
        ("maildir", "a.eml", eml(), None),
    ],
)
def test_forced(layout, name, head, expected):
    """A forced format takes what it can, and names what it cannot."""
    if expected is None:
        with pytest.raises(Misfit, match=rf"as format: {layout} says"):
            kind_of(layout, name, head)
    else:
        assert expected is kind_of(layout, name, head)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dovecot-uidlist", True),
        ("dovecot.index", True),
        ("dovecot.index.cache", True),
        ("dovecot.list.index.log", True),
        ("dovecot-uidvalidity.5f0e1c2d", True),
        ("maildirfolder", True),
        ("courierimapuiddb", True),
        ("dovecot", False),
        ("dovecot-news", False),
        ("courier", False),
    ],
)
def test_control_files(name, expected):
    """A server's bookkeeping is known by its whole name; a folder called like the server is mail."""
    assert expected is is_control_file(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.M2.host:2,", ()),
        ("1.M2.host:2,S", ("\\Seen",)),
        ("1.M2.host,S=12,W=13:2,FRS", ("\\Answered", "\\Flagged", "\\Seen")),
        ("1.M2.host;2,DT", ("\\Deleted", "\\Draft")),
        ("1.M2.host!2,P", ("$Forwarded",)),
        ("1.M2.host:2,Sab", ("\\Seen",)),
        ("1.M2.host:2,SS", ("\\Seen",)),
        ("1.M2.host:1,S", ()),
        ("1.M2.host", ()),
    ],
)
def test_maildir_flags(name, expected):
    """The letters after ":2," (or what stands for it) are IMAP flags, sorted."""
    assert expected == flags_of(name)


def test_emlx():
    """The message is as long as the first line says; flags and date come from the property list."""
    notes = plistlib.dumps({"flags": 0b1_0001_0101, "date-received": 1_073_298_600})
    found = unwrap(b"%-10d\n" % len(eml()) + eml() + notes)
    assert eml() == found.octets
    assert found.flags == ("$Forwarded", "\\Answered", "\\Flagged", "\\Seen")
    assert datetime(2004, 1, 5, 10, 30, tzinfo=UTC) == found.received
    assert found.missing == 0


@pytest.mark.parametrize(
    "notes",
    [
        b"",
        b"<plist",
        b"<plist><array/></plist>",
        b"<a/>",
        b"\xff",
        b"<plist><integer>x</integer></plist>",
        plistlib.dumps({"flags": "x", "date-received": -1e300}),
        plistlib.dumps({"date-received": 1e300}),
    ],
)
def test_emlx_without_usable_notes(notes):
    """A property list that is missing or broken costs the flags and the date, not the message."""
    found = unwrap(b"3\nabc" + notes)
    assert (found.octets, found.flags, found.received, found.missing) == (b"abc", None, None, 0)


def test_emlx_cut_short():
    """A file shorter than its count gives what is there, and says how much is not."""
    found = unwrap(b"10\nabc")
    assert (found.octets, found.missing) == (b"abc", 7)
    with pytest.raises(Misfit):
        unwrap(eml())


@pytest.mark.parametrize(
    "octets", [b"{", b"[]", b'"subject"', b"{}", b'{"title": 1}', b"\xff\xfe", b"[" * 100_000]
)
def test_json_that_is_no_message(octets):
    """What is no object, or has none of the keys, is refused with a reason that quotes nothing of it."""
    with pytest.raises(Misfit, match=r"^is no (JSON|message)") as caught:
        parse(octets)
    assert "title" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json(encoding):
    """The fields come as they are, whatever Unicode encoding the file has."""
    fields = {"subject": "日本", "odd": [1]}
    assert fields == parse(json.dumps(fields, ensure_ascii=False).encode(encoding))


def test_names():
    """A record never gets a lone surrogate, a report never a second line, and keys never collide."""
    odd = "h\udce9/a"
    assert (display(odd), display("")) == ("h\ufffd/a", ".")
    assert (bookmark_key(odd), bookmark_key("hé/a"), bookmark_key("")) == ("//h%E9/a", "hé/a", ".")
    assert one_line("a\nb\x1b") == "a\ufffdb\ufffd"
