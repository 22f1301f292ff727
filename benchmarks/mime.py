"""What reading a message costs, beside other readers; and how the cost grows on hostile families.

    python benchmarks/mime.py MAIL_DIR [--growth] [--crlf]

MAIL_DIR holds one message a file, at any depth. CPU time of this process, the best of three passes. Each
reader does what a record needs: decoded subject and addresses, date, text, HTML, digests of the attachments
(ours also makes text of HTML-only mail). fast-mail-parser takes part where it is installed.
"""

from __future__ import annotations

import argparse
import email
import email.header
import email.policy
import email.utils
import hashlib
import importlib
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tap_mailbox.mime import parse_message  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

PASSES = 3


def read_compat32(octets: bytes) -> None:
    """Read with the default policy of the e-mail package as it was in Python 2."""
    message = email.message_from_bytes(octets)
    for name in ("subject", "from", "to", "cc"):
        if name in message:
            str(email.header.make_header(email.header.decode_header(message[name])))
    email.utils.getaddresses(
        message.get_all("to", []) + message.get_all("cc", []) + message.get_all("from", [])
    )
    email.utils.parsedate_to_datetime(message["date"])
    for part in message.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            if part.get_content_maintype() == "text" and not part.get_filename():
                content.decode(part.get_content_charset() or "utf-8", "replace")
            else:
                hashlib.sha256(content).hexdigest()


def read_default(octets: bytes) -> None:
    """Read with the present policy of the e-mail package."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    for name in ("subject", "from", "to", "cc", "date"):
        str(message[name])
    for name in ("from", "to", "cc"):
        if message[name]:
            _ = message[name].addresses
    for part in message.walk():
        if not part.is_multipart():
            content = part.get_content()
            if not isinstance(content, str):
                hashlib.sha256(content).hexdigest()


def fast_mail_parser() -> Callable[[bytes], None] | None:
    """Return a reader that uses fast-mail-parser, None where it is not installed."""
    try:
        parse_email = importlib.import_module("fast_mail_parser").parse_email
    except ImportError:
        return None

    def read(octets: bytes) -> None:
        message = parse_email(octets)
        _ = message.subject, message.date, message.headers, message.text_plain, message.text_html
        for attachment in message.attachments:
            hashlib.sha256(attachment.content).hexdigest()

    return read


def cost(read: Callable[[bytes], object], messages: list[bytes]) -> tuple[float, int]:
    """Return CPU seconds of the best pass over all messages, and how many of them failed."""
    best, failed = float("inf"), 0
    for _ in range(PASSES):
        failed = 0
        begun = time.process_time()
        for octets in messages:
            try:
                read(octets)
            except Exception:  # noqa: BLE001 - to fail is part of what is measured
                failed += 1
        best = min(best, time.process_time() - begun)
    return best, failed


def compare(messages: list[bytes]) -> None:
    """Print the table of all readers."""
    total = sum(map(len, messages))
    mean = total / len(messages) / 1000
    print(f"{len(messages)} messages, {mean:.1f} kB each, Python {platform.python_version()}")
    print(f"{'reader':18} {'µs/message':>10} {'MB/s':>7} {'failed':>7}")
    readers: dict[str, Callable[[bytes], object] | None] = {
        "tap_mailbox.mime": parse_message,
        "email compat32": read_compat32,
        "email default": read_default,
        "fast-mail-parser": fast_mail_parser(),
    }
    for name, read in readers.items():
        if read is None:
            print(f"{name:18} not installed")
            continue
        seconds, failed = cost(read, messages)
        print(f"{name:18} {seconds / len(messages) * 1e6:10.0f} {total / seconds / 1e6:7.1f} {failed:7}")


HEAD = b"From: Alice <alice@example.org>\nSubject: x\n"
FAMILIES: dict[str, Callable[[int], bytes]] = {
    "addresses": lambda n: HEAD + b"To: x" + b"".join(b", A%d <a%d@example.org>" % (i, i) for i in range(n)),
    "parameters": lambda n: (
        HEAD + b"Content-Type: text/plain" + b"".join(b"; p%d=x" % i for i in range(n)) + b"\n\n"
    ),
    "parts": lambda n: (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\n\n"
        + b"--b\nContent-Type: text/plain\n\nA short part of a long message.\n" * n
        + b"--b--\n"
    ),
    "nesting": lambda n: (
        HEAD + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(n))
    ),
    "encoded words": lambda n: HEAD + b"Comments: x\nSubject:" + b" =?utf-8?Q?word?= text" * n + b"\n\n",
    "HTML depth": lambda n: HEAD + b"Content-Type: text/html\n\n" + b"<div>x" * n + b"</div>" * n,
    "commas": lambda n: HEAD + b"To: " + b"a," * n + b"\n\n",
    "angle brackets": lambda n: HEAD + b"To: " + b"<a" * n + b"\n\n",
    "folds": lambda n: HEAD + b"To: x" + b"\n x" * n + b"\n\n",
}


def growth() -> None:
    """Print CPU milliseconds of each family at 1, 10 and 100 times its size."""
    print(f"{'family':16} {'1x ms':>8} {'10x ms':>8} {'100x ms':>9} {'100x kB':>8} {'s/MB':>6}")
    for name, make in FAMILIES.items():
        sizes = [make(count) for count in (300, 3_000, 30_000)]
        times = [cost(parse_message, [octets])[0] for octets in sizes]
        kilobytes = len(sizes[-1]) / 1000
        row = " ".join(
            f"{seconds * 1000:{width}.2f}" for seconds, width in zip(times, (8, 8, 9), strict=True)
        )
        print(f"{name:16} {row} {kilobytes:8.0f} {times[-1] / kilobytes * 1000:6.2f}")


def main() -> None:
    """Read the arguments and print the tables."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("mail", type=Path)
    arguments.add_argument("--growth", action="store_true", help="the hostile families as well")
    arguments.add_argument("--crlf", action="store_true", help="with CRLF line ends, as over IMAP")
    options = arguments.parse_args()
    messages = [path.read_bytes() for path in sorted(options.mail.rglob("*")) if path.is_file()]
    messages = [octets.replace(b"\n", b"\r\n") if options.crlf else octets for octets in messages if octets]
    compare(messages)
    if options.growth:
        growth()


if __name__ == "__main__":
    main()
