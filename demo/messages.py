"""`mailbox()`: the demo's sample messages, folder by folder, the same octets every time.

Everybody here is made up. What is odd about a message is said where it stands.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ANNA, BEN, CHLOE = (
    "Anna Albers <anna@example.org>",
    "Ben Brandt <ben@example.com>",
    "Chloé Cès <chloe@example.net>",
)
ME = "Demo <demo@example.org>"
CLUB = "Chess club <chess@lists.example.net>"
FIRST_DAY = dt.datetime(2025, 11, 3, 8, 15, tzinfo=dt.timezone(dt.timedelta(hours=1)))
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301"
    "0100c9fe92ef0000000049454e44ae426082"
)
"""A PNG of one pixel."""
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n" + bytes(range(256)) * 40


@dataclass(frozen=True)
class Sample:
    """One message as it lies on the server."""

    folder: str
    octets: bytes
    flags: tuple[str, ...]
    internal_date: dt.datetime


@dataclass(frozen=True)
class Facts:
    """What the archive of these messages must look like."""

    messages: int
    duplicates: int
    variants: int


FACTS = Facts(messages=36, duplicates=1, variants=1)


def mailbox() -> list[Sample]:
    """Return all samples, in the order in which they arrived."""
    days = count()
    samples = []
    for folder, octets, flags in [*_inbox(), *_sent(), *_club(), *_travel()]:
        arrived = FIRST_DAY + dt.timedelta(days=7 * next(days))
        dated = octets.replace(b"@DATE@", format_datetime(arrived).encode())
        samples.append(Sample(folder, dated, flags, arrived + dt.timedelta(seconds=2)))
    # The same octets in a second folder, as a filter or a label puts them there: archived once.
    copied = samples[3]
    samples.append(Sample("Reisen/日本", copied.octets, copied.flags, copied.internal_date))
    return samples


def _mail(
    number: int,
    sender: str,
    subject: str,
    text: str,
    *,
    to: str = ME,
    html: str | None = None,
    reply_to_number: int = 0,
) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = f"<demo-{number:03}@example.org>"
    if reply_to_number:
        message["In-Reply-To"] = message["References"] = f"<demo-{reply_to_number:03}@example.org>"
    if text:
        message.set_content(text)
    if html is not None:
        if text:
            message.add_alternative(html, subtype="html")
        else:
            message.set_content(html, subtype="html")
    return message


def _octets(message: EmailMessage) -> bytes:
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_demo_{number}")  # else it is random
    return b"Date: @DATE@\r\n" + message.as_bytes()


Entry = tuple[str, bytes, tuple[str, ...]]


def _inbox() -> Iterator[Entry]:
    seen, new = ("\\Seen",), ()
    yield (
        "INBOX",
        _octets(_mail(1, ANNA, "Lunch on Thursday?", "Shall we say half past twelve?\n\nAnna\n")),
        seen,
    )
    yield (
        "INBOX",
        _octets(_mail(2, BEN, "Re: the boiler", "The plumber comes on Monday.\n", reply_to_number=99)),
        seen,
    )
    yield "INBOX", _octets(_mail(3, CHLOE, "Été à la campagne", "Les pêches sont mûres. À bientôt !\n")), seen
    yield (
        "INBOX",
        _octets(
            _mail(4, "田中 花子 <hanako@example.jp>", "京都のホテル", "予約を確認しました。三泊です。\n")
        ),
        seen,
    )
    yield (
        "INBOX",
        _octets(_mail(5, "王小明 <wang@example.cn>", "会议纪要 📎", "附件是今天的会议纪要。请查收。\n")),
        new,
    )
    yield (
        "INBOX",
        _octets(_mail(6, ANNA, "🎉🎂 Happy birthday!", "🥳 Many happy returns! 🎈\n")),
        ("\\Seen", "\\Flagged"),
    )
    newsletter = (
        "<html><body><h1>Spring offers</h1><p>Only <b>today</b>: seeds &amp; bulbs.</p></body></html>"
    )
    yield "INBOX", _octets(_mail(7, "Shop <news@shop.example>", "HTML only", "", html=newsletter)), new
    both = _mail(8, BEN, "Both ways", "The plain text.\n", html="<p>The <i>marked-up</i> text.</p>\n")
    yield "INBOX", _octets(both), seen

    invoice = _mail(
        9, "Accounts <billing@shop.example>", "Invoice 2025-117", "Please find the invoice attached.\n"
    )
    invoice.add_attachment(PDF, maintype="application", subtype="pdf", filename="Rechnung März 2025.pdf")
    yield "INBOX", _octets(invoice), seen
    photo = _mail(10, CHLOE, "Photo", "", html='<p>Look: <img src="cid:pixel@example.net"></p>\n')
    photo.add_related(PIXEL, maintype="image", subtype="png", cid="<pixel@example.net>", filename="sea.png")
    yield "INBOX", _octets(photo), seen
    several = _mail(11, "王小明 <wang@example.cn>", "资料", "三个文件。\n")
    for name in ("预算.csv", "a&b 'c'.txt", "../../etc/passwd"):  # the last one wants to be somewhere else
        several.add_attachment(f"{name}\n".encode(), maintype="text", subtype="csv", filename=name)
    yield "INBOX", _octets(several), new
    forwarded = _mail(12, ANNA, "Fwd: minutes", "See below.\n")
    forwarded.add_attachment(_mail(98, BEN, "minutes", "1. Opening\n2. Budget\n", to=ANNA))
    yield "INBOX", _octets(forwarded), seen

    # No Message-ID: the archive makes one up from what the message says.
    nameless = _mail(13, "Printer <printer@office.example>", "Toner low", "Replace the toner cartridge.\n")
    del nameless["Message-ID"]
    yield "INBOX", _octets(nameless), new
    # Broken: undeclared Latin-1 in the header, an unknown charset, a multipart that ends in the middle.
    yield "INBOX", b"\r\n".join([
        b"Date: @DATE@", "From: Jürgen <juergen@example.de>".encode("latin-1"), b"To: demo@example.org",
        b"Subject: =?x-unknown?B?broken", b"Message-ID: <demo-014@example.org>", b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="cut"', b"", b"--cut",
        b"Content-Type: text/plain; charset=x-no-such-charset", b"Content-Transfer-Encoding: base64", b"",
        b"VGhpcyBlbmRzIGluIHRoZSBtaWRkbGU", b"--cut", b"Content-Type: application/zip", b"", b"PK\x03\x04",
    ]), new  # fmt: skip
    # A date that never was; the archive then goes by when it was received.
    undated = _octets(_mail(15, BEN, "When?", "My clock is wrong.\n")).replace(
        b"@DATE@", b"Thu, 99 Foo 2025 25:61"
    )
    yield "INBOX", b"Received: by mx.example.org; @DATE@\r\n" + undated, seen
    # ISO-2022-JP and GB18030, as older programs wrote them.
    yield "INBOX", _legacy(16, "会議のお知らせ", "明日の会議は十時からです。\r\n", "iso-2022-jp"), seen
    yield "INBOX", _legacy(17, "你好", "久未联系，最近好吗？\r\n", "gb18030"), seen


def _legacy(number: int, subject: str, text: str, charset: str) -> bytes:
    from email.header import Header  # noqa: PLC0415  # the older way, for charsets the newer one does not write

    head = (
        f"Date: @DATE@\r\nFrom: old@example.org\r\nTo: demo@example.org\r\n"
        f"Subject: {Header(subject, charset).encode()}\r\nMessage-ID: <demo-{number:03}@example.org>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
    )
    return head.encode("ascii") + text.encode(charset)


def _sent() -> Iterator[Entry]:
    answers = [
        (1, ANNA, "Re: Lunch on Thursday?", "Half past twelve it is.\n"),
        (3, CHLOE, "Re: Été à la campagne", "J'arrive samedi.\n"),
        (9, "Accounts <billing@shop.example>", "Re: Invoice 2025-117", "Paid today.\n"),
        (4, "田中 花子 <hanako@example.jp>", "Re: 京都のホテル", "ありがとうございます。\n"),
        (12, f"{ANNA}, {BEN}", "Re: Fwd: minutes", "Thanks, both.\n"),
    ]
    for number, (answered, to, subject, text) in enumerate(answers, 30):
        yield "Sent", _octets(_mail(number, ME, subject, text, to=to, reply_to_number=answered)), ("\\Seen",)
    hidden = _mail(36, ME, "Surprise party", "Saturday, eight o'clock. Not a word to Anna.\n", to=BEN)
    hidden["Cc"], hidden["Bcc"] = CHLOE, "Dana <dana@example.net>"
    yield "Sent", _octets(hidden), ("\\Seen",)


def _club() -> Iterator[Entry]:
    topics = [
        "Sicilian or French?",
        "Tournament in May",
        "Opening book",
        "Wanted: a clock",
        "Results of round 3",
    ]
    for number, topic in enumerate(topics, 50):
        message = _mail(number, BEN, f"[chess] {topic}", f"{topic}\n\nWhat do you think?\n", to=CLUB)
        message["List-Id"] = "<chess.lists.example.net>"
        yield "Lists/Chess club", _octets(message), ("\\Seen",)
    # My own mail to the list, and what the list made of it: one Message-ID, two bodies. Both are kept.
    own = _mail(55, ME, "[chess] Round 4", "I can host round 4.\n", to=CLUB)
    yield "Sent", _octets(own), ("\\Seen",)
    listed = _mail(55, ME, "[chess] Round 4", "I can host round 4.\n\n-- \nchess mailing list\n", to=CLUB)
    listed["List-Id"] = "<chess.lists.example.net>"
    yield "Lists/Chess club", _octets(listed), ()


def _travel() -> Iterator[Entry]:
    for number, (subject, text) in enumerate(
        [
            ("航空券 ✈️", "十月三日、成田行き。\n"),
            ("新幹線", "指定席を二枚取りました。\n"),
            ("Ryokan", "Breakfast is from seven.\n"),
            ("天气预报", "周末有雨，请带伞。☔\n"),
            ("Grüße aus Kyoto", "Viele Grüße von unterwegs!\n"),
        ],
        70,
    ):
        yield (
            "Reisen/日本",
            _octets(_mail(number, "田中 花子 <hanako@example.jp>", subject, text)),
            ("\\Seen",),
        )
