"""The target alone, fed from a file: beside a bare loop of the same protocol and targets not durable."""

from __future__ import annotations

import base64
import json
import random
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measured import Run, alternated, each_end, run, set_aside, spread, table, wall
from tap_mailbox.record import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RECORDS = 10_000
BARE = "a bare loop, same bytes, same protocol (the writing alone)"
_ROOT = Path(__file__).parent.parent
_JSONL = _ROOT / ".venv-peers/bin/target-jsonl"


def report(scratch: Path, rounds: int) -> str:
    """Return the table."""
    lines = scratch / "lines.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        schema = json.loads((_ROOT / "schemas/message.json").read_text(encoding="utf-8"))
        keys = ["account", "message_id", "content_hash"]
        head = {"type": "SCHEMA", "stream": "imap_messages", "schema": schema, "key_properties": keys}
        file.write(json.dumps(head) + "\n")
        for number, record in enumerate(_records(schema["properties"]), start=1):
            file.write(json.dumps({"type": "RECORD", "stream": "imap_messages", "record": record}) + "\n")
            if number % 500 == 0:
                file.write(json.dumps({"type": "STATE", "value": {"bookmarks": {}}}) + "\n")
    config = scratch / "config.json"
    written, said = scratch / "written", scratch / "said"
    config.write_text(json.dumps({"path": str(written / "archive")}))
    peer = scratch / "peer.json"
    peer.write_text(json.dumps({"destination_path": str(written)}))

    def contender(*command: str) -> Callable[[], Run]:
        def start() -> Run:
            set_aside(written)
            written.mkdir()
            return run(list(command), stdin=lines, stdout=said, cwd=written, log=scratch / "log")

        return start

    bare = contender(sys.executable, "-S", str(Path(__file__).with_name("bare_loop.py")), str(lines))

    def writing_alone() -> Run:
        found = bare()
        return replace(found, wall=float(said.read_text()))

    contenders = {
        BARE: writing_alone,
        "target-hashfs": contender(sys.executable, "-m", "target_hashfs", "--config", str(config)),
        "a stock SDK target (BatchSink, JSON lines)": contender(
            sys.executable, str(Path(__file__).with_name("stock_target.py"))
        ),
    }
    if _JSONL.exists():
        contenders["target-jsonl"] = contender(str(_JSONL), "--config", str(peer))
    runs = alternated(contenders, rounds)
    octets = lines.stat().st_size
    return (
        f"{RECORDS:,} records with raw, {octets / RECORDS / 1e3:.1f} kB each.\n\n"
        + table(
            (
                "",
                "durable",
                "records/s",
                "wall s, median (range)",
                "CPU s, whole process",
                "peak MB",
                "of the bare loop",
            ),
            (
                (
                    name,
                    "yes" if name in {BARE, "target-hashfs"} else "no",
                    f"{RECORDS / wall(each):,.0f}",
                    spread(each),
                    each_end(each, "cpu"),
                    each_end(each, "peak", 0),
                    f"{wall(runs[BARE]) / wall(each):.0%}",
                )
                for name, each in runs.items()
            ),
        )
        + ("" if _JSONL.exists() else "\ntarget-jsonl is not installed here and left out.\n")
    )


def _records(order: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield records as the tap makes them, the same ones every time, keys in *order*."""
    chance = random.Random(1)
    for number in range(RECORDS):
        body = base64.encodebytes(chance.randbytes(1_400)).decode()
        octets = f"Message-ID: <{number}@example.org>\r\n\r\n{body}".encode() * 2
        message_id, date = (
            f"<{number}@example.org>",
            f"{2020 + number % 6}-{number % 12 + 1:02d}-05T10:30:45+00:00",
        )
        record: dict[str, Any] = {
            "account": "benchmark",
            "email": "me@example.org",
            "message_id": message_id,
            "date": date,
            "date_source": "header",
            "subject": f"Letter {number}",
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
            "headers": [{"name": f"X-Header-{each}", "value": "some value of it"} for each in range(20)],
            "size": len(octets),
            "raw_sha256": sha256(octets).hexdigest(),
            "defects": [],
            "raw": base64.b64encode(octets).decode(),
            "source": {"protocol": "imap", "folder": "INBOX", "uid": number, "uidvalidity": 7},
        }
        derived = {
            "message_hash": sha256(message_id.encode()).hexdigest()[:16],
            "content_hash": content_hash(record),
            "year_month": f"{date[:4]}/{date[5:7]}",
        }
        yield {key: (record | derived)[key] for key in order}
