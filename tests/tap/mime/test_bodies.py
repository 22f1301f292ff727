"""Which part is text, which is HTML and which is an attachment; what attachments are made of."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tap_mailbox.mime import Limits, parse_message
from tests.tap.mime.mails import a_multipart, an_eml

ENVELOPED = base64.b64encode(b"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" + b"x" * 60).decode()
SIGNED = base64.b64encode(b"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + b"x" * 60).decode()


def seen(octets, **arguments):
    """Return text, its source, HTML and the attachments as (part, name, type, disposition)."""
    message = parse_message(octets, **arguments)
    files = [(file.part, file.filename, file.content_type, file.disposition) for file in message.attachments]
    return message.body_text, message.body_text_source, message.body_html, files


@pytest.mark.parametrize(
    ("expected", "octets"),
    [
        (("Hello\n", "text", None, []), an_eml()),
        (("Hello\n", "text", None, []), an_eml(b"Hello\r\n")),
        (("a\nb\nc\n", "text", None, []), an_eml(b"a\r\nb\rc\n")),
        ((None, None, None, []), an_eml("\n")),
        (("Hi\n\nyou", "html", "<p>Hi<p>you", []), an_eml("<p>Hi<p>you", content_type="text/html")),
        (
            ("Hi", "html", "<p>Hi", []),
            a_multipart("\n \n", "Content-Type: text/html\n\n<p>Hi", kind="alternative"),
        ),
        (
            ("a", "text", "<p>b", []),
            a_multipart("\na", "Content-Type: text/html\n\n<p>b", kind="alternative"),
        ),
        (("a\nb", "text", None, []), a_multipart("\na", "Content-Type: text/plain\n\nb")),
        ((None, None, "", []), an_eml("", content_type="text/html")),
        (
            ("Grüße\n", "text", None, []),
            an_eml("Grüße\n".encode("latin-1"), content_type="text/plain; charset=latin1"),
        ),
    ],
)
def test_bodies(expected, octets):
    """Text parts make the text, HTML parts the HTML; the text comes from the HTML only if there is none."""
    assert expected == seen(octets)


@pytest.mark.parametrize(
    ("expected", "part"),
    [
        (("2", "a.pdf", "application/pdf", None), 'Content-Type: application/pdf; name="a.pdf"\n\nx'),
        (("2", "a.txt", "text/plain", "attachment"), "Content-Disposition: attachment; filename=a.txt\n\nx"),
        (("2", "a.txt", "text/plain", "inline"), "Content-Disposition: inline; filename=a.txt\n\nx"),
        (("2", None, "text/plain", "attachment"), "Content-Disposition: form-data\n\nx"),
        (("2", None, "text/calendar", None), "Content-Type: text/calendar\n\nBEGIN:VCALENDAR"),
        (("2", None, "message/rfc822", None), "Content-Type: message/rfc822\n\nSubject: inner\n\nbody"),
        (
            ("2", None, "message/delivery-status", None),
            "Content-Type: message/delivery-status\n\nAction: failed",
        ),
        (("2", None, "text/rfc822-headers", None), "Content-Type: text/rfc822-headers\n\nSubject: inner"),
        (("2", None, "application/pgp-signature", None), "Content-Type: application/pgp-signature\n\nx"),
        (("2", "../../etc/passwd", "a/b", None), 'Content-Type: a/b; name="../../etc/passwd"\n\nx'),
        (("2", "a b", "a/b", None), "Content-Type: a/b; name*=utf-8''a%0D%0Ab\n\nx"),
        (("2", "a  b", "a/b", None), 'Content-Type: a/b; name="a  b"\n\nx'),
    ],
)
def test_attachments(expected, part):
    """Every part that is not a body, with its name as stated, on one line."""
    assert ("text", "text", None, [expected]) == seen(a_multipart("\ntext", part))


def test_digests_are_of_the_content():
    """Size and digest are of the octets after transfer decoding."""
    content = bytes(range(256)) * 10
    octets = a_multipart(
        b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(content)
    )
    file = parse_message(octets).attachments[0]
    assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
    raw = a_multipart(b"Content-Type: text/x-patch\n\na\r\nb\n").replace(b"\n--b", b"\r\n--b")
    assert hashlib.sha256(b"a\r\nb\n").hexdigest() == parse_message(raw).attachments[0].sha256


def test_attached_messages_have_one_digest():
    """A forwarded message or a bounce has the digest of its LF form, wherever it was read."""
    octets = a_multipart("Content-Type: message/rfc822\n\nSubject: inner\n\nbody")
    for way in (octets, octets.replace(b"\n", b"\r\n"), octets.replace(b"\n", b"\r")):
        file = parse_message(way).attachments[0]
        assert (hashlib.sha256(b"Subject: inner\n\nbody").hexdigest(), 20) == (file.sha256, file.size)
    inner = base64.encodebytes(b"Subject: inner\r\n\r\nbody")
    encoded = a_multipart(b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + inner)
    assert (
        hashlib.sha256(b"Subject: inner\r\n\r\nbody").hexdigest()
        == parse_message(encoded).attachments[0].sha256
    )


def test_content_id():
    """Content-ID without its angle brackets."""
    octets = a_multipart("Content-Type: image/png\nContent-ID: <img1@example.org>\n\nx")
    assert "img1@example.org" == parse_message(octets).attachments[0].content_id


def test_signed():
    """multipart/signed gives its text; the signature is an attachment."""
    octets = a_multipart("\ntext", "Content-Type: application/pgp-signature\n\nx", kind="signed")
    assert ("text", "text", None, [("2", None, "application/pgp-signature", None)]) == seen(octets)


@pytest.mark.parametrize(
    ("codes", "octets"),
    [
        (
            ("encrypted",),
            a_multipart(
                "Content-Type: application/pgp-encrypted\n\nVersion: 1", "\nlooks like text", kind="encrypted"
            ),
        ),
        (
            ("encrypted",),
            an_eml(ENVELOPED, content_type="application/pkcs7-mime", content_transfer_encoding="base64"),
        ),
        ((), an_eml(SIGNED, content_type="application/pkcs7-mime", content_transfer_encoding="base64")),
    ],
)
def test_encrypted(codes, octets):
    """Encrypted mail has null bodies and says so; an opaque signature is not encrypted."""
    message = parse_message(octets)
    assert (None, None, None, codes) == (
        message.body_text, message.body_text_source, message.body_html, message.defects,
    )  # fmt: skip


def test_encrypted_by_way_of_exchange():
    """PGP/MIME of which Exchange made a multipart/mixed is encrypted all the same."""
    octets = a_multipart("\n", "Content-Type: application/pgp-encrypted\n\nVersion: 1")
    assert ("encrypted",) == parse_message(octets).defects


def test_text_that_only_looks_like_a_file():
    """A message whose one part is text with a name has that text, not an attachment."""
    octets = an_eml("the text\n", content_type='text/plain; name="text_0.txt"')
    assert ("the text\n", "text", None, []) == seen(octets)
    attached = an_eml("the text\n", content_disposition="attachment; filename=a.txt")
    assert (None, None, None, [("1", "a.txt", "text/plain", "attachment")]) == seen(attached)
    assert ("x-text\n", "text", None, []) == seen(an_eml("x-text\n", content_type="text/x-unknown"))


def test_enriched_text():
    """text/enriched is text without its commands, and none beside the plain text it is an alternative to."""
    enriched = "Content-Type: text/enriched\n\n<bold>big</bold> <<x> <param>red</param>end"
    assert ("big <x> end", "text", None, []) == seen(a_multipart(enriched))
    assert ("plain", "text", None, []) == seen(a_multipart("\nplain", enriched, kind="alternative"))


def test_text_outside_the_parts():
    """A long text before the first part is kept if there is no other; the usual notice never is."""
    notice = "This is a multi-part message in MIME format.\n"
    picture = "Content-Type: image/png\n\nx"
    head, body = a_multipart(picture).split(b"\n\n", 1)
    assert None is parse_message(head + b"\n\n" + notice.encode() + body).body_text
    message = parse_message(head + b"\n\n" + b"words and words " * 30 + b"\n" + body)
    assert ("words and words " * 30 + "\n", ("text-outside-parts",)) == (message.body_text, message.defects)


def test_charset_of_the_html_itself():
    """HTML without a declared charset is read by its meta element."""
    page = '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>Привет'.encode("koi8-r")
    assert "Привет" == parse_message(an_eml(page, content_type="text/html")).body_text


def test_header_takes_the_charset_of_the_text():
    """Raw 8-bit header fields are read in the charset that the text declares."""
    octets = an_eml(
        "Привет\n".encode("koi8-r"),
        content_type="text/plain; charset=koi8-r",
        subject="Привет".encode("koi8-r"),
    )
    assert "Привет" == parse_message(octets).subject


@pytest.mark.parametrize(
    ("code", "octets", "limits"),
    [
        ("text-too-large", an_eml("x" * 100), Limits(text_bytes=50)),
        ("html-too-large", an_eml("<p>x" * 100, content_type="text/html"), Limits(html_bytes=50)),
        (
            "filename-too-long",
            a_multipart(f"Content-Type: a/b; name={'x' * 99}\n\nx"),
            Limits(filename_chars=50),
        ),
        ("message-too-large", an_eml("x" * 100), Limits(message_bytes=50)),
    ],
)
def test_limits(code, octets, limits):
    """Beyond a limit there is a defect and a record all the same."""
    message = parse_message(octets, limits=limits)
    assert (code,) == message.defects
    assert "<1@example.org>" == message.message_id
    assert all(len(file.filename or "") <= limits.filename_chars for file in message.attachments)
