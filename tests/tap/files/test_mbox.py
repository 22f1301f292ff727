"""mbox files: where messages begin, what quoting is undone, in little memory."""

from __future__ import annotations

import io
import re
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.sources.files.layout import Misfit
from tap_mailbox.sources.files.mbox import split
from tap_mailbox.sources.files.separator import internal_date, is_separator
from tests.tap.files.trees import eml, mbox_of, source_of

SEPARATOR = b"From a@example.org Mon Jan  5 10:30:00 2004\n"


def messages_of(octets: bytes) -> list[bytes]:
    return [piece.octets for piece in split(io.BytesIO(octets), check=lambda: None)]


@pytest.mark.parametrize(
    ("mbox", "expected"),
    [
        (SEPARATOR + b"A: 1\n\nx\n\n" + SEPARATOR + b"B: 2\n\ny\n\n", [b"A: 1\n\nx\n", b"B: 2\n\ny\n"]),
        (SEPARATOR + b"A: 1\n\nx\n" + SEPARATOR, [b"A: 1\n\nx\n" + SEPARATOR]),
        (SEPARATOR + b"A: 1\n\n\nFrom the desk\n\n", [b"A: 1\n\n\nFrom the desk\n"]),
        (SEPARATOR + b"A: 1\n\n>From x\n>>From y\n> From z\n\n", [b"A: 1\n\nFrom x\n>From y\n> From z\n"]),
        (SEPARATOR + b"A: 1\n\nx\n\n\n\n", [b"A: 1\n\nx\n\n\n"]),
        (SEPARATOR + b"A: 1\n\nno end of line", [b"A: 1\n\nno end of line"]),
        (b"\n\n" + SEPARATOR + b"A: 1\n", [b"A: 1\n"]),
        (b"\xef\xbb\xbf" + SEPARATOR + b"A: 1\n", [b"A: 1\n"]),
        (SEPARATOR + b"\n" + SEPARATOR + b"B: 2\n", [b"", b"B: 2\n"]),
        (b"From \r\nA: 1\r\n\r\nx\r\n\r\nFrom \r\nB: 2\r\n\r\n", [b"A: 1\r\n\r\nx\r\n", b"B: 2\r\n"]),
        (b"From -\nA: 1\n\nx\n\nFrom \nhere\n\n", [b"A: 1\n\nx\n\nFrom \nhere\n"]),
        (b"From -\nA: 1\n\nx\n\nFrom \n", [b"A: 1\n\nx\n\nFrom \n"]),
        (b"From -\nA: 1\n\nx\n\nFrom \n\n", [b"A: 1\n\nx\n\nFrom \n"]),
        (SEPARATOR.replace(b"\n", b"\r\n") + b"A: 1\r\n\r\n>From x\r\n\r\n", [b"A: 1\r\n\r\nFrom x\r\n"]),
        (SEPARATOR + b"Content-Length: 99\n\n" + SEPARATOR + b"B: 2\n", [b"Content-Length: 99\n", b"B: 2\n"]),
    ],
    ids=[
        "two", "no blank line before", "undated From", "mboxrd quoting", "blank lines at the end",
        "no newline", "blank lines first", "byte order mark", "empty message", "Thunderbird",
        "Thunderbird undecided", "Thunderbird cut", "Thunderbird blank", "CRLF", "Content-Length is a lie",
    ],
)  # fmt: skip
def test_split(mbox, expected):
    """Messages begin at dated From_ lines after a blank line, and nowhere else."""
    assert expected == messages_of(mbox)


def test_split_refuses_what_is_no_mbox():
    """A file that does not begin with a From_ line is refused, not taken for an empty mbox."""
    with pytest.raises(Misfit, match="From_ line"):
        messages_of(b"Subject: a\n\nb\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"From a@example.org Mon Jan  5 10:30:00 2004\n", "2004-01-05T10:30:00"),
        (b"From - Mon Jan 05 10:30:00 2004\r\n", "2004-01-05T10:30:00"),
        (b'From "A B" Mon Jan  5 10:30 2004\n', "2004-01-05T10:30:00"),
        (b"From ???@??? Mon Jan 05 10:30:00 1998 \n", "1998-01-05T10:30:00"),
        (b"From a@example.org Mon Jan  5 10:30:00 PST 2004\n", "2004-01-05T18:30:00"),
        (b"From a@example.org Mon Jan  5 10:30:00 MET DST 2004\n", "2004-01-05T10:30:00"),
        (b"From 15@xxx Mon Jan 05 10:30:00 +0100 2004\n", "2004-01-05T09:30:00"),
        (b"From a@example.org Mon Jan  5 10:30:00 2004 -0800\n", "2004-01-05T18:30:00"),
        (b"From a@example.org Mon, 5 Jan 2004 10:30:00 +0200 (EET)\n", "2004-01-05T08:30:00"),
        (b"From a@example.org 2004-01-05T10:30:00Z\n", "2004-01-05T10:30:00"),
        (b"From a@example.org 2004-01-05 10:30:00+0100\n", "2004-01-05T09:30:00"),
        (b"From uucp!a Mon Jan  5 10:30:00 2004 remote from host\n", "2004-01-05T10:30:00"),
        (b"From a@example.org Sat Feb 31 10:30:00 2004\n", None),
        (b"From a@example.org Mon Jan  5 10:30:00 +9900 2004\n", None),
    ],
)
def test_separator_dates(line, expected):
    """Dates of all writers are known, without zone in UTC; one that does not exist separates all the same."""
    assert is_separator(line, b"")
    assert (datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None) == internal_date(line)


@pytest.mark.parametrize(
    "line",
    [
        b"From Russia with love\n",
        b"From Monday on we are closed\n",
        b"From 5 Jan 2004 on, all will be well\n",
        b"From a@example.org\n",
        b"From a@example.org Mon Jan  5 10:30:00 2004 and so on\n",
        b"From: a@example.org\n",
        b">From a@example.org Mon Jan  5 10:30:00 2004\n",
        b"From " + b"x" * 2000 + b" Mon Jan  5 10:30:00 2004\n",
    ],
)
def test_no_separators(line):
    """Body lines that happen to begin with "From " are no separators."""
    assert not is_separator(line, b"")


LINES = st.sampled_from(
    [
        b"From a\n",
        SEPARATOR,
        b">From b\n",
        b">>From c\r\n",
        b"\n",
        b"\r\n",
        b"x\n",
        b"From \n",
        b"A: 1\n",
        b"\r",
    ]
)
BODIES = st.lists(st.one_of(LINES, st.binary(max_size=20).map(lambda octets: octets + b"\n"))).map(b"".join)
WHOLE = BODIES.filter(lambda body: body.endswith(b"\n"))


@given(st.lists(WHOLE, min_size=1), st.sampled_from([b"\n", b"\r\n"]))
def test_mboxrd_round_trip(messages, end):
    """What an mboxrd writer wrote is what comes out, octet for octet."""
    out = b""
    for message in messages:
        quoted = re.sub(rb"^(>*From )", rb">\1", message, flags=re.MULTILINE)
        out += SEPARATOR.rstrip() + end + quoted + end
    assert messages == messages_of(out)


@given(BODIES)
def test_split_loses_nothing(body):
    """Whatever follows the first separator comes out again, but for quoting and separating blank lines."""
    pieces = list(split(io.BytesIO(SEPARATOR + body), check=lambda: None))
    out = b"".join(piece.from_line + piece.octets for piece in pieces)
    expected = re.sub(rb"^>(>*From )", rb"\1", SEPARATOR + body, flags=re.MULTILINE)
    assert without_blank_lines(expected) == without_blank_lines(out)
    assert len(expected) - len(out) <= 2 * len(pieces)


def without_blank_lines(octets: bytes) -> bytes:
    return re.sub(rb"^\r?\n", b"", octets, flags=re.MULTILINE)


def test_memory_is_that_of_one_message(tmp_path):
    """A file of 60 MB with a message of 20 MB takes 20 MB and a little, and no line is too long."""
    path = tmp_path / "big"
    small = mbox_of(eml("small", ("x" * 75 + "\n") * 850))
    with path.open("wb") as file:
        for _ in range(300):
            file.write(small)
        file.write(SEPARATOR + b"A: 1\n\n" + (b"x" * 75 + b"\n") * 131_000 + b"y" * 10_000_000 + b"\n\n")
        for _ in range(300):
            file.write(small)
    assert path.stat().st_size > 57_000_000
    tracemalloc.start()
    try:
        sizes = [len(message.octets) for message in source_of(path).messages() if hasattr(message, "octets")]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(sizes), sizes.index(max(sizes))) == (601, 300)
    assert peak < max(sizes) * 1.15 + 4_000_000
