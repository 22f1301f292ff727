"""The `From ` line that begins a message of an mbox, and its date (RFC 4155)."""

from __future__ import annotations

import email.utils
import re
from datetime import UTC, datetime, timedelta, timezone

_WEEKDAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = rb"\d{1,2}:\d\d(?::\d\d)?"
_ZONES = rb"(?:[ \t]+(?:[A-Z]{1,5}|[+-]\d{4}|\([A-Za-z ]{1,40}\)))*"
_S = rb"[ \t]+"
_ASCTIME = (
    _WEEKDAY + rb",?" + _S + rb"(?P<month>" + _MONTH + rb")" + _S + rb"(?P<day>\d{1,2})" + _S
    + rb"(?P<time>" + _TIME + rb")(?P<zone_before>" + _ZONES + rb")" + _S
    + rb"(?P<year>\d{4})(?P<zone_after>" + _ZONES + rb")"
)  # fmt: skip
_RFC5322 = (
    rb"(?:" + _WEEKDAY + rb",?" + _S + rb")?\d{1,2}" + _S + _MONTH + _S + rb"\d{2,4}" + _S + _TIME + _ZONES
)
_ISO = rb"\d{4}-\d\d-\d\d[T ]" + _TIME + rb"(?:Z|[+-]\d\d:?\d\d)?"
_UUCP = rb"(?:[ \t]+remote from [^\r\n]{1,200})?"
# Whoever wrote the mbox, the line ends with one of these dates. The sender before it may be anything:
# nothing, a dash, a name with blanks, "???@???" (Eudora).
_DATE = re.compile(
    rb"(?<=[ \t])(?:" + _ASCTIME + rb"|(?P<rfc5322>" + _RFC5322 + rb")|(?P<iso>" + _ISO + rb"))"
    + _UUCP + rb"[ \t]*\r?\n?\Z"
)  # fmt: skip
_SEPARATOR_BYTES = 1024  # A longer line is no From_ line, and need not be searched for a date.
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_BARE_SEPARATOR = re.compile(rb"From (?:-[ \t]*)?\r?\n\Z")


def is_separator(line: bytes, following: bytes) -> bool:
    """Whether a line that begins a file or follows a blank line begins a message of an mbox (RFC 4155).

    A date is asked for, since mboxo writers and worse leave "From " at the start of a body line unquoted.
    Thunderbird writes neither sender nor date: such a line counts when a header field follows it.
    """
    if not line.startswith(b"From ") or len(line) > _SEPARATOR_BYTES:
        return False
    if is_bare_separator(line):
        return _FIELD.match(following) is not None
    return _DATE.search(line) is not None


def is_bare_separator(line: bytes) -> bool:
    """Whether a `From ` line has neither sender nor date, so that the line after it must be seen."""
    return _BARE_SEPARATOR.match(line) is not None


def internal_date(from_line: bytes) -> datetime | None:
    """Return the date of a `From ` line in UTC, or None if it bears none that exists.

    A date without zone is taken as UTC, as RFC 4155 has it; so is one with a zone's name that RFC 5322 does
    not define (CET may be anything).
    """
    match = _DATE.search(from_line)
    if match is None:
        return None
    found = {name: (text or b"").decode("ascii") for name, text in match.groupdict().items()}
    try:
        if found["iso"]:
            moment = datetime.fromisoformat(found["iso"])
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        text = found["rfc5322"] or "{day} {month} {year} {time} {zone_before} {zone_after}".format_map(found)
        parsed = email.utils.parsedate_tz(text)
        if parsed is None:
            return None
        zone = timezone(timedelta(seconds=parsed[9] or 0))
        return datetime(*parsed[:6], tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # 31 February, or a zone of 99 hours
