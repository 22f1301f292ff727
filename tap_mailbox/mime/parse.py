"""From the octets of a message to what it says: the steps in order, and what happens if one fails."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from tap_mailbox.mime.addresses import parse_addresses
from tap_mailbox.mime.bodies import Content, ContentReader, leaves_of
from tap_mailbox.mime.charsets import decode_undeclared
from tap_mailbox.mime.dates import iso, message_date
from tap_mailbox.mime.defects import Defect, Defects
from tap_mailbox.mime.encoded_words import decode_words
from tap_mailbox.mime.fields import Header, read_header
from tap_mailbox.mime.identity import all_ids, first_id, message_id
from tap_mailbox.mime.message import Address, Limits, ParsedMessage
from tap_mailbox.mime.parts import Splitter

BARE_CR_SEARCHED_BYTES = 65_536
_DEFAULT_LIMITS = Limits()

_ADDRESS_FIELDS = {name: name.replace("-", "_") for name in ("from", "to", "cc", "bcc", "reply-to", "sender")}


def parse_message(
    octets: bytes, *, internal_date: datetime | None = None, limits: Limits = _DEFAULT_LIMITS
) -> ParsedMessage:
    """Return what a message says. Never raises; the same octets always give the same values.

    Args:
        octets: the message as it was fetched, line ends CRLF, LF or (old Macintosh) CR.
        internal_date: when the server got it, with its zone; the last resort for the date, and what
            tells a date in the future.
        limits: how much of the message is looked at.
    """
    if internal_date is not None and internal_date.tzinfo is None:
        internal_date = internal_date.replace(tzinfo=UTC)
    lines = _with_line_feeds(octets)
    for read in (_read_whole, _read_header_only):
        try:
            return read(_Given(lines, internal_date, limits, set()))
        except Exception:  # noqa: BLE001, S112 - a reader's mistake must not cost the message
            continue
    return _unreadable(octets, internal_date)


@dataclass(frozen=True, slots=True)
class _Given:
    """What one message is read from, and what was wrong with it so far."""

    octets: bytes
    internal_date: datetime | None
    limits: Limits
    defects: Defects


def _read_whole(given: _Given) -> ParsedMessage:
    octets, limits, defects = given.octets, given.limits, given.defects
    header = read_header(octets, 0, limits, defects)
    if len(octets) > limits.message_bytes:
        defects.add(Defect.MESSAGE_TOO_LARGE)
        return _message(given, header, Content())
    root = Splitter(octets, limits, defects).split(header)
    content = ContentReader(octets, limits, defects).read(root)
    # Raw 8-bit header fields have the charset of the text below them, as a rule.
    hint = next((charset for leaf in leaves_of(root) if (charset := leaf.parameters.get("charset"))), None)
    return _message(given, header, content, hint=hint)


def _read_header_only(given: _Given) -> ParsedMessage:
    given.defects.add(Defect.UNREADABLE_BODY)
    return _message(given, read_header(given.octets, 0, given.limits, given.defects), Content())


def _unreadable(octets: bytes, internal_date: datetime | None) -> ParsedMessage:
    return ParsedMessage(
        message_id=f"<{hashlib.sha256(octets).hexdigest()[:32]}@missing.invalid>",
        date=iso(internal_date) if internal_date else None,
        date_source="internal" if internal_date else None,
        subject=None, from_=None, to=None, cc=None, bcc=None, reply_to=None, addresses=(),
        in_reply_to=None, references=(), body_text=None, body_text_source=None, body_html=None,
        attachments=(), headers=(), defects=(Defect.UNREADABLE_MESSAGE.value,),
    )  # fmt: skip


def _with_line_feeds(octets: bytes) -> bytes:
    """The message with LF for CR if CR is its line end: no LF near its beginning. Ranges stay the same."""
    if (
        octets.find(b"\n", 0, BARE_CR_SEARCHED_BYTES) < 0
        and octets.find(b"\r", 0, BARE_CR_SEARCHED_BYTES) >= 0
    ):
        return octets.replace(b"\r", b"\n")
    return octets


def _message(given: _Given, header: Header, content: Content, *, hint: str | None = None) -> ParsedMessage:
    """The values of a message from its header and its content."""
    octets, limits, defects = given.octets, given.limits, given.defects
    dates = header.all("date")
    subjects = header.all("subject")
    if len(dates) > 1:
        defects.add(Defect.DUPLICATE_DATE)
    if len(subjects) > 1:
        defects.add(Defect.DUPLICATE_SUBJECT)
    date, date_source = message_date(dates, header.all("received"), given.internal_date, defects)
    texts: dict[str, str] = {}
    addresses: list[Address] = []
    for name, role in _ADDRESS_FIELDS.items():
        values = header.named.get(name)
        if values:
            texts[role] = ", ".join([decode_words(value, defects, hint=hint) for value in values])
            for value in values:
                addresses += parse_addresses(value, role, limits, defects, hint=hint)
    if not texts.get("from"):
        defects.add(Defect.MISSING_FROM)
    in_reply_to = header.first("in-reply-to")
    references = header.first("references")
    return ParsedMessage(
        message_id=message_id(header, octets, defects),
        date=date,
        date_source=date_source,
        subject=decode_words(subjects[0], defects, hint=hint) if subjects else None,
        from_=texts.get("from"),
        to=texts.get("to"),
        cc=texts.get("cc"),
        bcc=texts.get("bcc"),
        reply_to=texts.get("reply_to"),
        addresses=tuple(addresses),
        in_reply_to=first_id(in_reply_to, set()) if in_reply_to else None,
        references=all_ids(references, limits, defects) if references else (),
        body_text=content.text,
        body_text_source=content.text_source,
        body_html=content.html,
        attachments=tuple(content.attachments),
        headers=_headers(header, octets, hint, defects),
        defects=tuple(sorted(defect.value for defect in defects)),
    )


def _headers(
    header: Header, octets: bytes, hint: str | None, defects: Defects
) -> tuple[tuple[str, str], ...]:
    """Every field, encoded words as they are; what is wrong with octets anywhere in the header is noted."""
    nul = octets.find(b"\0", header.start, header.body) >= 0
    if nul:
        defects.add(Defect.NUL_REPLACED)
    try:
        fields = tuple([(name, value.decode("utf-8")) for name, value in header.fields])
        if not nul and octets.find(b"\x1b", header.start, header.body) < 0:
            return fields
    except UnicodeDecodeError:
        defects.add(Defect.UNDECLARED_8BIT_HEADER)
    return tuple([(name, decode_undeclared(value, hint)) for name, value in header.fields])
