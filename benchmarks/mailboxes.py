"""Mailboxes to measure with: a Dovecot on loopback, filled behind its back, and messages that look like mail.

Sizes follow what private mailboxes show: half of the messages below 8 kB, a tenth above 60 kB, 32 kB in the
middle of it all, 5 MB at most. The same numbers give the same octets.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.servers.dovecot import Dovecot, User

FOLDERS = {
    "INBOX": 50,
    "Sent": 20,
    "Archive/2024": 10,
    "Archive/2025": 10,
    "Lists": 5,
    "Entwürfe": 4,
    "日本語": 1,
}
"""Seven, with the share of each in a hundred messages."""
LARGEST = 5_000_000
_WORDS = [
    "archive",
    "bookmark",
    "drain",
    "folder",
    "journal",
    "letter",
    "octet",
    "résumé",
    "日本",
    "the",
    "of",
]
_FIRST = 1_577_836_800  # 2020-01-01, as INTERNALDATE of the first
_STEP = 3_600
# 2 GB of random octets would take as long as everything else: attachments are cut out of these.
_NOISE = base64.encodebytes(random.Random(0).randbytes(LARGEST)).replace(b"\n", b"\r\n")


def message(number: int) -> bytes:
    """Return the message of that number, CRLF line ends."""
    chance = random.Random(number)
    date = f"{1 + number % 28} Jun {2020 + number % 6} 10:30:{number % 60:02} +0000"
    head = (
        f"Received: from mx{number % 9}.example.org by mail.example.net with ESMTPS id {number:x}; "
        f"Fri, {date}\r\n"
        f"Date: Fri, {date}\r\nFrom: =?utf-8?q?Zo=C3=AB_{number % 97}?= <zoe{number % 97}@example.org>\r\n"
        f"To: me@example.net, Ann <ann@example.net>\r\n"
        f"Subject: Letter {number} about {chance.choice(_WORDS)}\r\n"
        f"Message-ID: <{number}.{chance.randrange(2**40):x}@example.org>\r\nMIME-Version: 1.0\r\n"
        f"X-Mailer: Example {number % 7}\r\nList-Id: <list{number % 5}.example.org>\r\n"
    ).encode()
    size = min(LARGEST, int(chance.lognormvariate(8.9, 1.65)))
    text = _lines(chance, min(size, 6_000))
    if size < 4_000:
        return head + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text
    boundary = b"=_%d" % number
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text,
        b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>" + text + b"</p></body></html>",
    ]
    if size > 16_000:
        begin = chance.randrange(LARGEST // 78) * 78
        content = (_NOISE[begin:] + _NOISE)[: (size - 2 * len(text)) // 78 * 78]
        parts.append(
            b'Content-Type: application/pdf; name="invoice.pdf"\r\nContent-Disposition: attachment; '
            b'filename="invoice.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n' + content
        )
    joined = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    kind = b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n'
    return head + kind + joined + b"--" + boundary + b"--\r\n"


def _lines(chance: random.Random, size: int) -> bytes:
    lines, length = [], 0
    while length < size:
        line = " ".join(chance.choices(_WORDS, k=10)).encode() + b"\r\n"
        lines.append(line)
        length += len(line)
    return b"".join(lines)


def folder_of(number: int) -> str:
    """Return which of `FOLDERS` a message lies in."""
    place = number * 37 % 100
    for folder, share in FOLDERS.items():
        if place < share:
            return folder
        place -= share
    raise AssertionError


def fill(dovecot: Dovecot, user: User, numbers: Iterable[int], folders: Sequence[str] | None = None) -> int:
    """Put messages into the folders of *user* as files; returns their octets.

    Each goes to `folder_of` it, or round *folders*. APPEND would take minutes.
    """
    total = 0
    for number in numbers:
        octets = message(number)
        folder = folder_of(number) if folders is None else folders[number % len(folders)]
        received = _FIRST + number * _STEP
        # S= and W= are the sizes that Dovecot would otherwise have to read every file for.
        name = f"{received}.M{number:09}.example,S={len(octets)},W={len(octets)}:2,S"
        directory = dovecot.folder_path(user, folder) / "cur"
        if not directory.is_dir():
            for each in ("cur", "new", "tmp"):
                (directory.parent / each).mkdir(parents=True)
        (directory / name).write_bytes(octets)
        os.utime(directory / name, (received, received))
        total += len(octets)
    hand_over(dovecot)
    return total


def adopt(dovecot: Dovecot, user: User, maildir: Path) -> tuple[int, int]:
    """Copy a Maildir with its subfolders (Maildir++) for *user*; returns messages and octets."""
    messages = octets = 0
    for cur in sorted(maildir.glob("**/cur")):
        place = cur.parent.relative_to(maildir).name
        to = dovecot.root.joinpath("mail", user.name, "Maildir", *place.removeprefix(".").split("."))
        for each in ("cur", "new", "tmp"):
            shutil.copytree(cur.parent / each, to / each)
        for file in _files(to / "cur"):
            messages += 1
            octets += file.stat().st_size
    hand_over(dovecot)
    return messages, octets


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.iterdir() if path.is_file())


def hand_over(dovecot: Dovecot) -> None:
    """Give the mail to whom the server runs as."""
    if os.geteuid() == 0:
        owner = dovecot.root.stat()
        for path in (dovecot.root / "mail").rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid)
