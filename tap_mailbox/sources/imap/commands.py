"""The IMAP commands within a folder, their answers as values.

All of them read: EXAMINE, UID FETCH with BODY.PEEK[]; `search` has UID SEARCH.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imapclient.response_parser import parse_fetch_response

from tap_mailbox.sources.imap import nz_number
from tap_mailbox.sources.imap.folders import decode_name, quoted, raw_name
from tap_mailbox.sources.imap.replies import Refused, translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imapclient import IMAPClient

    from tap_mailbox.sources.imap.folders import Folder

_BODIES = "UID FETCH of messages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What EXAMINE said of a folder."""

    uidvalidity: int
    uidnext: int | None
    """None when the server predicts none, or what no UID can be."""
    exists: int | None
    """How many messages it counts; None when it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is known of a message before its octets are fetched: if the server gives no more, its UID."""

    uid: int
    size: int = 0
    """RFC822.SIZE, octets; 0 when the server would not say."""
    internal_date: datetime | None = None
    flags: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    gmail_msgid: str | None = None
    gmail_thrid: str | None = None


def examine(client: IMAPClient, folder: Folder) -> Examined:
    """Open a folder read-only (RFC 3501, section 6.3.2)."""
    with translated(f"EXAMINE of {folder.name}"):
        client._command_and_check("select", quoted(folder.raw), True)  # noqa: FBT003, SLF001
        answer = client._process_select_response(client._imap.untagged_responses)  # noqa: SLF001
    if b"UIDVALIDITY" not in answer:
        raise Refused(f"EXAMINE of {folder.name}: the server gives no UIDVALIDITY, so its UIDs prove nothing")
    return Examined(
        uidvalidity=nz_number.required(answer[b"UIDVALIDITY"], f"UIDVALIDITY of {folder.name}"),
        uidnext=nz_number.known(answer.get(b"UIDNEXT")),
        exists=answer.get(b"EXISTS"),
    )


def fetch_envelopes(client: IMAPClient, uids: Sequence[int]) -> dict[int, Envelope]:
    """Return size, INTERNALDATE and flags by UID; a message that vanished is not among them."""
    items = ["RFC822.SIZE", "INTERNALDATE", "FLAGS"]
    if gmail := client.has_capability("X-GM-EXT-1"):
        items += ["X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"]
    with translated("UID FETCH of sizes and flags"):
        answer = client.fetch(list(uids), items)
        return {uid: _envelope(uid, data, gmail=gmail) for uid, data in answer.items()}


def ask_for_bodies(client: IMAPClient, uids: Sequence[int]) -> bytes:
    """Send a FETCH of octets that touches no flag; returns its tag for `bodies_that_come`."""
    with translated(_BODIES):
        tag: bytes = client._imap._command("UID", "FETCH", ",".join(map(str, uids)), "(BODY.PEEK[])")  # noqa: SLF001
        return tag


def bodies_that_come(client: IMAPClient, tag: bytes) -> dict[int, bytes]:
    """Return the octets by UID that are here when that command is done; left out or given as NIL is missing.

    Some may be of another command under way, or of a message nobody asked for. This is the second half of
    imapclient's `fetch`, which has no way to send a command before the answer to another is here.
    """
    with translated(_BODIES):
        imap = client._imap  # noqa: SLF001
        typ, data = imap._command_complete("FETCH", tag)  # noqa: SLF001
        client._checkok("fetch", typ, data)  # noqa: SLF001
        _, lines = imap._untagged_response(typ, data, "FETCH")  # noqa: SLF001
        answer = parse_fetch_response(lines, normalise_times=False)
        found = {uid: items.get(b"BODY[]") for uid, items in answer.items()}
        return {uid: octets for uid, octets in found.items() if isinstance(octets, bytes)}


def fetch_message_ids(client: IMAPClient, uids: Sequence[int]) -> dict[int, bytes]:
    """Return the Message-ID fields by UID, as a header of its own."""
    with translated("UID FETCH of Message-ID fields"):
        answer = client.fetch(list(uids), ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"])
        return {uid: data.get(b"BODY[HEADER.FIELDS (MESSAGE-ID)]") or b"" for uid, data in answer.items()}


def _envelope(uid: int, data: Mapping[bytes, Any], *, gmail: bool) -> Envelope:
    # Some servers leave items out or give NIL (Exchange for broken items); nothing here may cost the message.
    moment = data.get(b"INTERNALDATE")
    size = data.get(b"RFC822.SIZE")
    flags = data.get(b"FLAGS") or ()
    labels = data.get(b"X-GM-LABELS")
    msgid, thrid = data.get(b"X-GM-MSGID"), data.get(b"X-GM-THRID")
    return Envelope(
        uid=uid,
        size=size if isinstance(size, int) else 0,
        internal_date=_utc(moment),
        # \Recent says something about sessions, not about the message (RFC 9051 dropped it).
        flags=tuple(sorted(text for flag in flags if (text := _text(flag)).lower() != "\\recent")),
        labels=tuple(decode_name(raw_name(each)) for each in labels or ()) if gmail else None,
        gmail_msgid=None if msgid is None else str(msgid),
        gmail_thrid=None if thrid is None else str(thrid),
    )


def _utc(moment: object) -> datetime | None:
    if not isinstance(moment, datetime):
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _text(token: object) -> str:
    return token.decode("utf-8", "replace") if isinstance(token, bytes) else str(token)
