"""The closed list of defect codes: what can be wrong with a message, and what was done about it."""

from __future__ import annotations

from enum import StrEnum


class Defect(StrEnum):
    """One thing that is wrong with a message; the value is the code in the record."""

    # Reading as a whole
    UNREADABLE_BODY = "unreadable-body"
    UNREADABLE_MESSAGE = "unreadable-message"
    MESSAGE_TOO_LARGE = "message-too-large"
    NO_OCTETS = "no-octets"
    MIME_UNAVAILABLE = "mime-unavailable"
    ATTACHMENT_UNAVAILABLE = "attachment-unavailable"

    # Header
    LEADING_JUNK = "leading-junk"
    JUNK_IN_HEADER = "junk-in-header"
    NO_HEADER_END = "no-header-end"
    TOO_MANY_FIELDS = "too-many-fields"
    FIELD_TOO_LONG = "field-too-long"
    MISSING_FROM = "missing-from"
    MISSING_MESSAGE_ID = "missing-message-id"
    INVALID_MESSAGE_ID = "invalid-message-id"
    DUPLICATE_MESSAGE_ID = "duplicate-message-id"
    DUPLICATE_SUBJECT = "duplicate-subject"
    DUPLICATE_DATE = "duplicate-date"
    MISSING_DATE = "missing-date"
    INVALID_DATE = "invalid-date"
    IMPLAUSIBLE_DATE = "implausible-date"
    INVALID_ADDRESS = "invalid-address"
    TOO_MANY_ADDRESSES = "too-many-addresses"
    TOO_MANY_REFERENCES = "too-many-references"
    INVALID_ENCODED_WORD = "invalid-encoded-word"
    UNDECLARED_8BIT_HEADER = "undeclared-8bit-header"

    # Structure
    INVALID_CONTENT_TYPE = "invalid-content-type"
    DUPLICATE_CONTENT_TYPE = "duplicate-content-type"
    TOO_MANY_PARAMETERS = "too-many-parameters"
    FILENAME_TOO_LONG = "filename-too-long"
    BOUNDARY_GUESSED = "boundary-guessed"
    BOUNDARY_NOT_FOUND = "boundary-not-found"
    UNCLOSED_MULTIPART = "unclosed-multipart"
    TEXT_OUTSIDE_PARTS = "text-outside-parts"
    TOO_DEEP = "too-deep"
    TOO_MANY_PARTS = "too-many-parts"
    ENCRYPTED = "encrypted"

    # Content
    UNKNOWN_TRANSFER_ENCODING = "unknown-transfer-encoding"
    INVALID_BASE64 = "invalid-base64"
    INVALID_UUENCODE = "invalid-uuencode"
    MISSING_CHARSET = "missing-charset"
    UNKNOWN_CHARSET = "unknown-charset"
    WRONG_CHARSET = "wrong-charset"
    REPLACED_CHARACTERS = "replaced-characters"
    NUL_REPLACED = "nul-replaced"
    TEXT_TOO_LARGE = "text-too-large"
    HTML_TOO_LARGE = "html-too-large"


Defects = set[Defect]
"""What was found in one message so far; every reader is handed it and adds to it."""
