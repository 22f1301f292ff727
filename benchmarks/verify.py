"""How fast `hashfs verify` and `hashfs root` are, beside `sha256sum` over the same files.

    python benchmarks/verify.py [ARCHIVE] [--messages N] [--jobs N]

Without ARCHIVE one is made of N messages (20,000), with bodies of up to 100 kB, 12 kB in the middle, and an
.eml each. All commands run in turn, with the same number of processes, five times over a warm cache; medians
count. sha256sum reads every file; so does verify, which parses, recomputes and compares as well; root reads
messages only.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from target_hashfs.archive import Archive  # noqa: E402
from target_hashfs.canonical import Canonical  # noqa: E402
from target_hashfs.config import Config  # noqa: E402
from target_hashfs.schema import load_schema  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 5
WORDS = ["archive", "bookmark", "drain", "folder", "journal", "letter", "mailbox", "octet", "résumé", "token"]


def records(count: int) -> Iterator[dict[str, Any]]:
    """Yield records as the tap makes them; the same ones every time."""
    chance = random.Random(1)
    for number in range(count):
        size = min(100_000, int(chance.lognormvariate(9.4, 0.9)))
        body = " ".join(chance.choices(WORDS, k=size // 7)) + "\n"
        headers = [
            {"name": f"X-Header-{each}", "value": " ".join(chance.choices(WORDS, k=6))} for each in range(30)
        ]
        head = "".join(f"{each['name']}: {each['value']}\r\n" for each in headers)
        octets = f"Message-ID: <{number}@example.org>\r\n{head}\r\n{body}".encode()
        yield {
            "account": f"account-{number % 4}",
            "email": "me@example.org",
            "message_id": f"<{number}@example.org>",
            "date": f"{2010 + number % 15}-{number % 12 + 1:02d}-05T10:30:45+00:00",
            "date_source": "header",
            "subject": "A subject",
            "from": "ann@example.org",
            "to": "me@example.org",
            "cc": None,
            "bcc": None,
            "reply_to": None,
            "addresses": [{"role": "from", "name": None, "address": "ann@example.org"}],
            "in_reply_to": None,
            "references": [],
            "body_text": body,
            "body_text_source": "text",
            "body_html": None,
            "attachments": [],
            "headers": headers,
            "size": len(octets),
            "raw_sha256": sha256(octets).hexdigest(),
            "defects": [],
            "raw": base64.b64encode(octets).decode(),
            "source": {"protocol": "imap", "folder": "INBOX", "uid": number, "uidvalidity": 7},
        }


def make_archive(path: Path, count: int) -> None:
    """Archive *count* messages at *path*."""
    config = Config.parse({"path": str(path), "min_free_bytes": 0}, load_schema("target-config"))
    archive = Archive(config, emit=lambda _state: None)
    canonical = Canonical(load_schema("message"))
    archive.open()
    for record in records(count):
        archive.add(canonical.message(record))
        archive.commit_if_due()
    archive.finish()
    archive.close()


def seconds(command: list[str]) -> float:
    """Return how long *command* takes."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return time.perf_counter() - begun


def main() -> None:
    """Read the arguments, make the archive if need be, and print the table."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("archive", type=Path, nargs="?")
    arguments.add_argument("--messages", type=int, default=20_000)
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = options.archive
        if path is None:
            path = Path(scratch, "archive")
            make_archive(path, options.messages)
        compare(path, options.jobs)


def compare(path: Path, jobs: int) -> None:
    """Print the medians."""
    hashfs = [sys.executable, "-m", "target_hashfs.cli"]
    commands = {
        "sha256sum": [
            "sh",
            "-c",
            f"find {shlex.quote(str(path))} -type f -print0 | xargs -0 -P {jobs} -n 256 sha256sum",
        ],
        "hashfs verify": [*hashfs, "verify", str(path), "--jobs", str(jobs)],
        "hashfs root": [*hashfs, "root", str(path), "--jobs", str(jobs)],
    }
    files = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    print(f"{len(files):,} files, {sum(files) / 1e6:,.0f} MB, {jobs} processes")
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(seconds(command))
    print(f"{'command':16} {'seconds':>8} {'files/s':>9} {'MB/s':>7} {'range':>14}")
    for name, each in times.items():
        middle = statistics.median(each)
        spread = f"{min(each):.2f} to {max(each):.2f}"
        rates = f"{len(files) / middle:9,.0f} {sum(files) / middle / 1e6:7.0f}"
        print(f"{name:16} {middle:8.2f} {rates} {spread:>14}")


if __name__ == "__main__":
    main()
