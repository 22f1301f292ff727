"""The IMAP commands of this source, their answers as values; alone in knowing imapclient's insides.

All of them read: LIST, STATUS, EXAMINE, UID SEARCH, UID FETCH with BODY.PEEK[].
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imapclient import imap_utf7
from imapclient.response_parser import parse_response

from tap_mailbox.sources.imap.replies import Refused, translated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from imapclient import IMAPClient

_STATUS_ITEMS = b"(MESSAGES UIDNEXT UIDVALIDITY)"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SPECIAL_USES = frozenset(
    {"\\all", "\\archive", "\\drafts", "\\flagged", "\\important", "\\junk", "\\sent", "\\trash"}
)
"""RFC 6154, section 2, and RFC 8457, section 3."""
_NO_MAILBOX = frozenset({rb"\noselect", rb"\nonexistent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One mailbox of the server."""

    name: str
    """Decoded from modified UTF-7 (RFC 3501, section 5.1.3)."""
    raw: bytes
    """As the server spells it; sent back as it is, whatever its encoding."""
    separator: str | None
    special: frozenset[str]
    """Special-use attributes (RFC 6154) in lower case, such as ``\\sent``."""
    uidvalidity: int | None = None
    """From STATUS; None when the server would not say."""
    uidnext: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What EXAMINE said of a folder."""

    uidvalidity: int
    uidnext: int | None
    exists: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is known of a message before its octets are fetched."""

    uid: int
    size: int
    """RFC822.SIZE, octets; 0 when the server would not say."""
    internal_date: datetime | None
    flags: tuple[str, ...]
    labels: tuple[str, ...] | None
    gmail_msgid: str | None
    gmail_thrid: str | None


def list_folders(client: IMAPClient) -> list[Folder]:
    """Return every selectable folder, with its STATUS where the server gives it along (RFC 5819).

    Raises:
        Unavailable, PoliteStop: see `translated`.
        Refused: not even a plain LIST is allowed.
    """
    wanted = [b"SPECIAL-USE"] if client.has_capability("SPECIAL-USE") else []
    if client.has_capability("LIST-STATUS"):
        wanted.append(b"STATUS " + _STATUS_ITEMS)
    with translated("LIST"):
        # RETURN belongs to LIST-EXTENDED (RFC 5258), which both extensions imply.
        options = [b"RETURN (" + b" ".join(wanted) + b")"] if wanted else []
        try:
            listed, statuses = _list(client, *options)
        except client.Error as error:
            if not options or isinstance(error, client.AbortError):
                raise
            listed, statuses = _list(client)
    # A server may name a folder twice; some do for INBOX.
    unique = {raw: (flags, separator) for flags, separator, raw in listed}
    names = _names(unique)
    return [
        Folder(
            name=names[raw],
            raw=raw,
            separator=separator,
            special=SPECIAL_USES & {flag.decode("ascii", "replace").lower() for flag in flags},
            uidvalidity=statuses.get(raw, {}).get(b"UIDVALIDITY"),
            uidnext=statuses.get(raw, {}).get(b"UIDNEXT") or None,
        )
        for raw, (flags, separator) in unique.items()
        if not _NO_MAILBOX & {flag.lower() for flag in flags}
    ]


def status(client: IMAPClient, folder: Folder) -> tuple[int | None, int | None]:
    """Return UIDVALIDITY and UIDNEXT of a folder, each None when the server does not say."""
    with translated(f"STATUS of {folder.name}"):
        typ, data = client._imap._simple_command("STATUS", _quoted(folder.raw), _STATUS_ITEMS)  # noqa: SLF001
        client._checkok("status", typ, data)  # noqa: SLF001
        typ, data = client._imap._untagged_response(typ, data, "STATUS")  # noqa: SLF001
        # An answer about another folder may stand beside ours (Exchange).
        items = _statuses(data).get(folder.raw, {})
    # No UID is 0 (RFC 3501, section 9, nz-number): who predicts it does not know.
    return items.get(b"UIDVALIDITY"), items.get(b"UIDNEXT") or None


def examine(client: IMAPClient, folder: Folder) -> Examined:
    """Open a folder read-only (RFC 3501, section 6.3.2)."""
    with translated(f"EXAMINE of {folder.name}"):
        client._command_and_check("select", _quoted(folder.raw), True)  # noqa: FBT003, SLF001
        answer = client._process_select_response(client._imap.untagged_responses)  # noqa: SLF001
    if b"UIDVALIDITY" not in answer:
        raise Refused(f"EXAMINE of {folder.name}: the server gives no UIDVALIDITY, so its UIDs prove nothing")
    return Examined(
        uidvalidity=answer[b"UIDVALIDITY"],
        uidnext=answer.get(b"UIDNEXT") or None,
        exists=answer.get(b"EXISTS", 0),
    )


def search(client: IMAPClient, *, first_uid: int, since: datetime | None = None) -> list[int] | None:
    """Return the UIDs from *first_uid* on, ascending; None when the server gave no `* SEARCH` at all.

    SINCE counts days in the server's zone (RFC 3501, section 6.4.4), so it is asked a day early and only
    saves work; who calls filters by the exact time.
    """
    criteria = ["UID", f"{first_uid}:*"]
    if since is not None:
        day = datetime.fromtimestamp(max(since.timestamp() - 86_400, 0), UTC)
        criteria += ["SINCE", f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}"]
    found = _search(client, criteria)
    # `n:*` names the last message even when its UID is below n (RFC 3501, section 6.4.8).
    return None if found is None else sorted({uid for uid in found if uid >= first_uid})


def still_there(client: IMAPClient, uids: Collection[int]) -> set[int]:
    """Return those of *uids* that the selected folder still holds."""
    return set(_search(client, ["UID", ",".join(map(str, sorted(uids)))]) or ()) & set(uids)


def fetch_envelopes(client: IMAPClient, uids: Sequence[int]) -> dict[int, Envelope]:
    """Return size, INTERNALDATE and flags by UID; a message that vanished is not among them."""
    items = ["RFC822.SIZE", "INTERNALDATE", "FLAGS"]
    if gmail := client.has_capability("X-GM-EXT-1"):
        items += ["X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"]
    with translated("UID FETCH of sizes and flags"):
        answer = client.fetch(list(uids), items)
        return {uid: _envelope(uid, data, gmail=gmail) for uid, data in answer.items()}


def fetch_bodies(client: IMAPClient, uids: Sequence[int]) -> dict[int, bytes]:
    """Return the octets by UID, no flag touched; what the server leaves out or gives as NIL is missing."""
    with translated("UID FETCH of messages"):
        answer = client.fetch(list(uids), ["BODY.PEEK[]"])
        return {
            uid: data[b"BODY[]"] for uid, data in answer.items() if isinstance(data.get(b"BODY[]"), bytes)
        }


def decode_name(raw: bytes) -> str:
    """Return a folder's name as people read it."""
    if not raw.isascii():
        # Raw UTF-8: UTF8=ACCEPT (RFC 6855), or a server that never learnt modified UTF-7.
        return raw.decode("utf-8", "replace")
    try:
        return str(imap_utf7.decode(raw))
    except (ValueError, LookupError):
        return raw.decode("ascii")


def _names(spellings: Collection[bytes]) -> dict[bytes, str]:
    """Return a name for each spelling, no two alike: a bookmark belongs to one folder."""
    names = {raw: decode_name(raw) for raw in spellings}
    counts = Counter(names.values())
    return {
        raw: f"{name} [{raw.hex()}]" if "\ufffd" in name or (counts[name] > 1 and not raw.isascii()) else name
        for raw, name in names.items()
    }


def _list(
    client: IMAPClient, *options: bytes
) -> tuple[list[tuple[Any, str | None, bytes]], Mapping[bytes, Any]]:
    imap = client._imap  # noqa: SLF001
    typ, data = imap._simple_command("LIST", b'""', b'"*"', *options)  # noqa: SLF001
    client._checkok("list", typ, data)  # noqa: SLF001
    _, lines = imap._untagged_response(typ, data, "LIST")  # noqa: SLF001
    _, status_lines = imap._untagged_response(typ, data, "STATUS")  # noqa: SLF001
    tokens = iter(parse_response([line for line in lines if line not in (b"", None)]))
    listed = []
    for flags, separator, name in zip(tokens, tokens, tokens, strict=False):
        listed.append((flags, separator.decode("ascii", "replace") if separator else None, _raw_name(name)))
    return listed, _statuses(status_lines)


def _search(client: IMAPClient, criteria: Sequence[str]) -> list[int] | None:
    """Return the UIDs of every `* SEARCH` line of the answer, None when there is none."""
    with translated("UID SEARCH"):
        imap = client._imap  # noqa: SLF001
        typ, data = imap._simple_command("UID", "SEARCH", *criteria)  # noqa: SLF001
        client._checkok("search", typ, data)  # noqa: SLF001
        _, lines = imap._untagged_response(typ, data, "SEARCH")  # noqa: SLF001
        answers = [line for line in lines if line is not None]
        return [int(uid) for line in answers for uid in line.split()] if answers else None


def _statuses(lines: Iterable[bytes | None]) -> dict[bytes, dict[bytes, int]]:
    tokens = iter(parse_response([line for line in lines if line not in (b"", None)] or [b""]))
    return {
        _raw_name(name): {key.upper(): value for key, value in zip(items[::2], items[1::2], strict=False)}
        for name, items in zip(tokens, tokens, strict=False)
        if isinstance(items, tuple)
    }


def _raw_name(token: bytes | int | None) -> bytes:
    """Return a name as octets; the parser turns an unquoted 123 into a number and NIL into None."""
    return token if isinstance(token, bytes) else b"NIL" if token is None else str(token).encode()


def _quoted(name: bytes) -> bytes:
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


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
        labels=tuple(decode_name(_raw_name(each)) for each in labels or ()) if gmail else None,
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
