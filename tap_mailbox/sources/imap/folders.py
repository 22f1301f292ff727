"""The folders of an IMAP account: LIST and STATUS, their answers as values."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imapclient import imap_utf7
from imapclient.response_parser import parse_response

from tap_mailbox.sources.imap import nz_number
from tap_mailbox.sources.imap.replies import translated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from imapclient import IMAPClient

_STATUS_ITEMS = b"(MESSAGES UIDNEXT UIDVALIDITY)"
SPECIAL_USES = frozenset(
    {"\\all", "\\archive", "\\drafts", "\\flagged", "\\important", "\\junk", "\\sent", "\\trash"}
)
"""RFC 6154, section 2, and RFC 8457, section 3."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
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
    covered: frozenset[str] = frozenset()
    """Those and the ones of the folders above it."""
    uidvalidity: int | None = None
    """From STATUS; None when the server would not say."""
    uidnext: int | None = None


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
    folders = [
        Folder(
            name=names[raw],
            raw=raw,
            separator=separator,
            special=SPECIAL_USES & {flag.decode("ascii", "replace").lower() for flag in flags},
            uidvalidity=nz_number.known(statuses.get(raw, {}).get(b"UIDVALIDITY")),
            uidnext=nz_number.known(statuses.get(raw, {}).get(b"UIDNEXT")),
        )
        for raw, (flags, separator) in unique.items()
        if not _NO_MAILBOX & {flag.lower() for flag in flags}
    ]
    special = [(folder, folder.special | _inbox(folder)) for folder in folders]
    special = [(folder, uses) for folder, uses in special if uses]
    return [
        replace(
            folder, covered=frozenset().union(*(uses for above, uses in special if _covers(above, folder)))
        )
        for folder in folders
    ]


def _inbox(folder: Folder) -> frozenset[str]:
    return frozenset({"\\inbox"} if folder.name.upper() == "INBOX" else ())


def _covers(above: Folder, folder: Folder) -> bool:
    if above.separator is None:
        return above.raw == folder.raw
    # By its spelling as well: a name that had to be told apart is not repeated in those below it.
    return (
        above.raw == folder.raw
        or folder.name.startswith(above.name + above.separator)
        or folder.raw.startswith(above.raw + above.separator.encode())
    )


def status(client: IMAPClient, folder: Folder) -> tuple[int | None, int | None]:
    """Return UIDVALIDITY and UIDNEXT of a folder, each None when the server does not say."""
    with translated(f"STATUS of {folder.name}"):
        typ, data = client._imap._simple_command("STATUS", quoted(folder.raw), _STATUS_ITEMS)  # noqa: SLF001
        client._checkok("status", typ, data)  # noqa: SLF001
        typ, data = client._imap._untagged_response(typ, data, "STATUS")  # noqa: SLF001
        # An answer about another folder may stand beside ours (Exchange).
        items = _statuses(data).get(folder.raw, {})
    return nz_number.known(items.get(b"UIDVALIDITY")), nz_number.known(items.get(b"UIDNEXT"))


def decode_name(raw: bytes) -> str:
    """Return a folder's name as people read it; NUL, lone surrogates and whatever is no text are U+FFFD."""
    if not raw.isascii():
        # Raw UTF-8: UTF8=ACCEPT (RFC 6855), or a server that never learnt modified UTF-7.
        return _NO_TEXT.sub("\ufffd", raw.decode("utf-8", "replace"))
    try:
        name = str(imap_utf7.decode(raw))
    except (ValueError, LookupError):
        name = raw.decode("ascii")
    return _NO_TEXT.sub("\ufffd", name)


def _names(spellings: Collection[bytes]) -> dict[bytes, str]:
    """Return a name for each spelling, no two alike: a bookmark belongs to one folder.

    Of those that read alike the one spelled as RFC 3501, section 5.1.3, has it keeps the name. The others,
    and whatever does not decode cleanly, carry their spelling in hexadecimal: ``a [264147452d]``.
    """
    names = {raw: decode_name(raw) for raw in spellings}
    counts = Counter(names.values())
    plain = {
        raw: name
        for raw, name in names.items()
        if "\ufffd" not in name and (counts[name] == 1 or imap_utf7.encode(name) == raw)
    }
    taken = set(plain.values())
    return {raw: name if raw in plain else _told_apart(name, raw, taken) for raw, name in names.items()}


def _told_apart(name: str, raw: bytes, taken: Collection[str]) -> str:
    """Return *name* with its spelling behind it, which no other has there; none of the names *taken*."""
    told = f"{name} [{raw.hex()}]"
    while told in taken:
        told += f" [{raw.hex()}]"
    return told


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
        listed.append((flags, separator.decode("ascii", "replace") if separator else None, raw_name(name)))
    return listed, _statuses(status_lines)


def _statuses(lines: Iterable[bytes | None]) -> dict[bytes, dict[bytes, int]]:
    tokens = iter(parse_response([line for line in lines if line not in (b"", None)] or [b""]))
    return {
        raw_name(name): {key.upper(): value for key, value in zip(items[::2], items[1::2], strict=False)}
        for name, items in zip(tokens, tokens, strict=False)
        if isinstance(items, tuple)
    }


def raw_name(token: bytes | int | None) -> bytes:
    """Return a name as octets; the parser turns an unquoted 123 into a number and NIL into None."""
    return token if isinstance(token, bytes) else b"NIL" if token is None else str(token).encode()


def quoted(name: bytes) -> bytes:
    """Return a folder's name as a quoted string."""
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
