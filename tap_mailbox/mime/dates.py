"""Dates: what a Date or Received field says, in UTC (RFC 5322, section 3.3, and what is written instead)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from tap_mailbox.mime.defects import Defect, Defects

LONGEST_DATE_OCTETS = 500  # no date is longer; a field of a megabyte is not searched for one
FUTURE_DAYS = 2  # a clock may run ahead, and a zone may be wrong by a day

# RFC 5322, section 3.3: "any numeric year 1900 or later". RFC 2822 itself has messages of 1969 (A.1.3).
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400

_MONTHS = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}

_RFC_5322 = re.compile(
    rb"(?:[A-Za-z]{3},?[ \t]*+)?([0-9]{1,2})[ \t]++([A-Za-z]{3})[ \t]++([0-9]{4})[ \t]++"
    rb"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?+[ \t]++([+-])([0-9]{2})([0-9]{2})(?:[ \t]*+\(|[ \t]*+\Z)"
)
_ISO_8601 = re.compile(
    r"\s*([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]+([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?\s*"
    r"(?:(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2}))?",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"\([^()]*+\)")
_DOTTED_TIME = re.compile(r"\b([0-9]{1,2})\.([0-9]{2})\.([0-9]{2})\b")
_ZONE_NAME = re.compile(r"(?<![A-Za-z])([A-Za-z]{3,5})\s*\Z")

# `parsedate_tz` knows the zones of the United States only, and takes all others for UTC.
_ZONES = {
    "JST": "+0900", "KST": "+0900", "HKT": "+0800", "SGT": "+0800", "IST": "+0530", "MSK": "+0300",
    "MSD": "+0400", "EET": "+0200", "EEST": "+0300", "CET": "+0100", "CEST": "+0200", "MET": "+0100",
    "MEST": "+0200", "MEZ": "+0100", "MESZ": "+0200", "WET": "+0000", "WEST": "+0100", "BST": "+0100",
    "SAST": "+0200", "AEST": "+1000", "AEDT": "+1100", "ACST": "+0930", "AWST": "+0800", "NZST": "+1200",
    "NZDT": "+1300", "HST": "-1000", "AKST": "-0900", "AKDT": "-0800", "BRT": "-0300", "ART": "-0300",
}  # fmt: skip


def iso(moment: datetime) -> str:
    """Return the moment as records have it: `2026-06-05T10:30:45+00:00`."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def message_date(
    dates: list[bytes], received: list[bytes], internal_date: datetime | None, defects: Defects
) -> tuple[str | None, str | None]:
    """Return the date of a message and where it is from: `header`, `received`, `internal` or None.

    Args:
        dates: unfolded values of the Date fields; the first counts.
        received: unfolded values of the Received fields, newest first.
        internal_date: when the server got it.
        defects: takes why the Date field was not used.
    """
    latest = internal_date + timedelta(days=FUTURE_DAYS) if internal_date else None
    if not dates or not dates[0]:
        defects.add(Defect.MISSING_DATE)
    else:
        moment = parse_date(dates[0])
        if moment is None:
            defects.add(Defect.INVALID_DATE)
        elif moment < _EARLIEST or (latest and moment > latest):
            defects.add(Defect.IMPLAUSIBLE_DATE)
        else:
            return moment.isoformat(), "header"
    for value in received:
        # The date stands after the last semicolon (RFC 5321, section 4.4).
        moment = parse_date(value.rpartition(b";")[2])
        if moment and moment >= _EARLIEST and not (latest and moment > latest):
            return moment.isoformat(), "received"
    return (iso(internal_date), "internal") if internal_date else (None, None)


def parse_date(value: bytes) -> datetime | None:
    """Return the moment a date field names, None when it names none."""
    match = _RFC_5322.match(value)
    if match and (month := _MONTHS.get(match[2].lower())):
        day, _, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
        offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
        fields = (int(year), month, int(day), int(hour), int(minute), int(second or 0))
        return _moment(fields, -offset if sign == b"-" else offset)
    return _unusual_date(value[:LONGEST_DATE_OCTETS].decode("latin-1"))


def _unusual_date(text: str) -> datetime | None:
    match = _ISO_8601.match(text)
    if match:
        year, month, day, hour, minute, second, _, sign, zone_hours, zone_minutes = match.groups()
        offset = int(zone_hours or 0) * 3600 + int(zone_minutes or 0) * 60
        fields = (int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
        return _moment(fields, -offset if sign == "-" else offset)
    text = _DOTTED_TIME.sub(r"\1:\2:\3", _without_comments(text)).strip()
    zone = _ZONE_NAME.search(text)
    if zone and zone[1].upper() in _ZONES:
        text = text[: zone.start()] + _ZONES[zone[1].upper()]
    try:
        parsed = parsedate_tz(text)
    except (ValueError, IndexError, OverflowError, TypeError):
        return None  # gh-95087 and its like: which text raises depends on the Python release
    return _moment(parsed[:6], parsed[9] or 0) if parsed else None


def _without_comments(text: str) -> str:
    """The text less its comments; at most a few levels, for it is at most 500 characters."""
    while (shorter := _COMMENT.sub(" ", text)) != text:
        text = shorter
    return text


def _moment(fields: tuple[int, ...], offset_seconds: int) -> datetime | None:
    """The moment in UTC, None when there is no such date."""
    year, month, day, hour, minute, second = fields
    if 100 <= year < 1000:
        year += 1900  # RFC 5322, section 4.3: programs that count years from 1900 write `105` for 2005
    if abs(offset_seconds) >= _DAY_SECONDS:
        offset_seconds = 0  # `+9999`: no zone is a day away
    try:
        # A leap second has no datetime of its own; 24:00 is written by old mailers.
        local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
        return local - timedelta(seconds=offset_seconds) if offset_seconds else local
    except (ValueError, OverflowError):
        return None
