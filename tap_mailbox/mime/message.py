"""What a parsed message is: the values `parse_message` returns, and the limits it keeps to."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of one message is looked at; going over any of them is a defect, never an error."""

    message_bytes: int = 150 * MEGABYTE
    """A longer message gives its header fields only (`message-too-large`)."""

    fields: int = 100_000
    """Header fields of the message (or of one part) that are read (`too-many-fields`)."""

    field_bytes: int = MEGABYTE
    """Octets of one field's value that are read; 10,000 recipients need 350 kB (`field-too-long`)."""

    parameters: int = 1_000
    """Parameters of one Content-Type or Content-Disposition field (`too-many-parameters`)."""

    addresses: int = 100_000
    """Mailboxes listed for one field name (`too-many-addresses`)."""

    references: int = 10_000
    """Ids of the References field that are listed (`too-many-references`)."""

    filename_chars: int = 1_000
    """Characters of a file name that are shown (`filename-too-long`)."""

    depth: int = 100
    """Multiparts inside one another; a deeper one is an attachment of its own (`too-deep`)."""

    parts: int = 10_000
    """Parts of one message; the rest is one attachment (`too-many-parts`)."""

    text_bytes: int = 32 * MEGABYTE
    """Octets of one text part that become a body; a longer one is an attachment (`text-too-large`)."""

    html_bytes: int = 5 * MEGABYTE
    """Octets of HTML that are turned into text; `body_html` itself stays whole (`html-too-large`)."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of an address field."""

    role: str
    """The field, in lower case: from, to, cc, bcc, reply_to, sender."""

    name: str | None
    """Decoded display name."""

    address: str | None
    """The addr-spec as written; without an `@` when the message has it so."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part that is not a body. Size and digest are of the content after transfer decoding."""

    part: str
    """Part number as in IMAP (RFC 9051, section 6.4.5): `2`, `1.3`."""

    filename: str | None
    content_type: str
    disposition: str | None
    """`attachment`, `inline` or None."""

    content_id: str | None
    """Without angle brackets."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """What one message says. Every str can be encoded as UTF-8 and holds no NUL."""

    message_id: str
    """With angle brackets; `<H@missing.invalid>` when the message has none (see `identity.py`)."""

    date: str | None
    """`2026-06-05T10:30:45+00:00`, always UTC."""

    date_source: str | None
    """`header`, `received`, `internal`, or None with a None date."""

    subject: str | None
    from_: str | None
    to: str | None
    cc: str | None
    bcc: str | None
    reply_to: str | None
    addresses: tuple[Address, ...]
    in_reply_to: str | None
    references: tuple[str, ...]

    body_text: str | None
    body_text_source: str | None
    """`text` (a text part), `html` (derived from `body_html`) or None with a None text."""

    body_html: str | None
    attachments: tuple[Attachment, ...]
    headers: tuple[tuple[str, str], ...]
    """Name and unfolded value of every field of the message itself, in order."""

    defects: tuple[str, ...]
    """Codes of `defects.py`, sorted, each once."""
