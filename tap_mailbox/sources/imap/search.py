"""Which messages a folder holds: UID SEARCH, and when its answer may be taken for all there is.

A bookmark passes what no SEARCH named, so no answer is no proof, and neither is an answer that names fewer
messages than EXAMINE has counted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from imapclient.response_parser import parse_fetch_response

from tap_mailbox.errors import Unavailable
from tap_mailbox.sources.imap import nz_number
from tap_mailbox.sources.imap.commands import examine
from tap_mailbox.sources.imap.replies import Refused, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imapclient import IMAPClient

    from tap_mailbox.sources.imap.commands import Examined
    from tap_mailbox.sources.imap.folders import Folder

SMALLEST_LIMIT = 1_000
"""The smallest number of messages that a server is known to stop at (Yahoo)."""
COUNTS = 3
"""So often is a folder counted anew: mail may be deleted meanwhile, but hardly each time."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def new_uids(
    client: IMAPClient, folder: Folder, examined: Examined, *, last_uid: int, since: datetime | None
) -> list[int]:
    """Return the UIDs above *last_uid*, ascending, of the folder that EXAMINE has just opened.

    SINCE counts days in the server's zone (RFC 3501, section 6.4.4), so it is asked a day early and only
    saves work; who calls filters by the exact time.

    Raises:
        Refused: the server does not say, or contradicts itself.
    """
    if not last_uid and since is None:
        return all_uids(client, folder, examined)
    found = _search_down(client, first_uid=last_uid + 1, since=since)
    if found is None and since is not None:
        # Nothing since then, and a server that gives no line for that? There is older mail to name.
        found = _search_down(client, first_uid=last_uid + 1)
    if found is not None:
        return found
    if examined.exists == 0 or (examined.uidnext is not None and examined.uidnext <= last_uid + 1):
        return []
    raise _unanswered(folder, f"whether there is mail above UID {last_uid}")


def all_uids(client: IMAPClient, folder: Folder, examined: Examined) -> list[int]:
    """Return every UID, ascending, of the folder that EXAMINE has just opened; not fewer than it has counted.

    Raises:
        Refused: the server does not say, or contradicts itself.
        Unavailable: the folder was made anew meanwhile.
    """
    found = _search_down(client, first_uid=1, exists=examined.exists)
    if found is None:
        if examined.exists == 0:
            return []
        raise _unanswered(folder, "which messages there are")
    if examined.exists is None:
        return found
    # Mail that arrived since is not among those that were counted.
    uidnext = examined.uidnext
    counted = [uid for uid in found if uidnext is None or uid < uidnext]
    if len(counted) >= examined.exists:
        return found
    told = f"{len(counted)} of {examined.exists} messages by UID SEARCH"
    for _ in range(COUNTS):
        # Between EXAMINE and FETCH nothing is told of what was deleted (RFC 3501, section 7.4.1): what has
        # just been counted has the numbers from 1 on.
        again = examine(client, folder)
        if again.uidvalidity != examined.uidvalidity:
            raise Unavailable(f"EXAMINE of {folder.name}: UIDVALIDITY changed at this moment")
        exists = again.exists or 0
        numbered = _uids_by_number(client, exists)
        if len(numbered) >= exists:
            return sorted(numbered.union(found))
    raise Refused(
        f"expected the UIDs of all messages that EXAMINE counts, but the server names {told} and "
        f"{len(numbered)} of {exists} by FETCH; nothing of the folder is read, so that none is passed over. "
        "Was mail deleted at this moment? Then run again; else the folder needs repair on the server"
    )


def is_gone(client: IMAPClient, uid: int) -> bool:
    """Whether the server says that the selected folder does not hold *uid* any more."""
    found, _ = _search(client, ["UID", str(uid)])
    return found is not None and uid not in found


def _search_down(
    client: IMAPClient, *, first_uid: int, exists: int | None = None, since: datetime | None = None
) -> list[int] | None:
    """Return the UIDs from *first_uid* on, ascending; None when the server gave no `* SEARCH` for them.

    A server may stop after so many messages, from the newest down, and need not say so (RFC 9738; Yahoo does
    at 1,000): what lies below is asked for until there is nothing.

    Args:
        client: With a folder opened.
        first_uid: The lowest UID wanted.
        exists: How many messages there are, if who calls counts them.
        since: Nothing received before it is wanted.
    """
    more = []
    if since is not None:
        day = datetime.fromtimestamp(max(since.timestamp() - 86_400, 0), UTC)
        more = ["SINCE", f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}"]
    found, limited = _search(client, ["UID", f"{first_uid}:*", *more])
    if found is None:
        return None
    # `n:*` names the last message even when its UID is below n (RFC 3501, section 6.4.8).
    uids = {uid for uid in found if uid >= first_uid}
    short = exists is not None and len(uids) < exists
    while uids and min(uids) > first_uid and (limited or short or len(found) >= SMALLEST_LIMIT):
        found, limited = _search(client, ["UID", f"{first_uid}:{min(uids) - 1}", *more])
        if found is None and exists is None:
            return None
        found = [uid for uid in found or () if first_uid <= uid < min(uids)]
        if not found:
            break
        uids.update(found)
    return sorted(uids)


def _search(client: IMAPClient, criteria: Sequence[str]) -> tuple[list[int] | None, bool]:
    """Return the UIDs of all `* SEARCH` lines (None: there is none), and whether the server stopped short."""
    with translated("UID SEARCH"):
        imap = client._imap  # noqa: SLF001
        typ, data = imap._simple_command("UID", "SEARCH", *criteria)  # noqa: SLF001
        client._checkok("search", typ, data)  # noqa: SLF001
        limited = any(b"[MESSAGELIMIT" in line.upper() for line in data if isinstance(line, bytes))
        _, lines = imap._untagged_response(typ, data, "SEARCH")  # noqa: SLF001
        answers = [line for line in lines if line is not None]
        uids = [int(uid) for line in answers for uid in line.split()]
    for uid in (min(uids), max(uids)) if uids else ():
        nz_number.required(uid, "a UID in the answer to UID SEARCH")
    return uids if answers else None, limited


def _uids_by_number(client: IMAPClient, exists: int) -> set[int]:
    """Return the UIDs of the messages 1 to *exists*, as far as the server names them."""
    uids: set[int] = set()
    for first in range(1, exists + 1, SMALLEST_LIMIT):
        last = min(exists, first + SMALLEST_LIMIT - 1)
        with translated("FETCH of UIDs"):
            imap = client._imap  # noqa: SLF001
            typ, data = imap._simple_command("FETCH", f"{first}:{last}", "(UID)")  # noqa: SLF001
            client._checkok("fetch", typ, data)  # noqa: SLF001
            _, lines = imap._untagged_response(typ, data, "FETCH")  # noqa: SLF001
            answer = parse_fetch_response(lines, normalise_times=False, uid_is_key=False)
            named = {items[b"UID"] for n, items in answer.items() if first <= n <= last and b"UID" in items}
        if not named:
            break
        uids.update(nz_number.required(uid, "a UID in the answer to FETCH") for uid in named)
    return uids


def _unanswered(folder: Folder, question: str) -> Refused:
    return Refused(
        f"UID SEARCH in {folder.name}: asked {question}, the server says OK and gives no answer; expected a "
        "line * SEARCH. The bookmark stays, the next run asks again"
    )
