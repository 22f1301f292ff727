"""Messages to archive, ways to run the target, and ways to look at what it left."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from target_hashfs.errors import TargetError
from target_hashfs.schema import load_schema
from target_hashfs.target import TargetHashFS

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
STREAM = "imap_messages"
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
"""A file system without a disk below it, where there is one."""
SECRETS = ("Lunch on Friday", "mallory@example.org", "The body says this")
"""Personal data in every record; none of it may appear in a log."""


def a_record(number: int = 1, *, eml: bool = True, **changes: Any) -> Json:
    """A complete record; *changes* override its keys."""
    octets = f"Message-ID: <{number}@example.org>\r\nSubject: {SECRETS[0]}\r\n\r\n{SECRETS[2]}\r\n".encode()
    record: Json = {
        "account": "gmail",
        "email": "me@example.org",
        "message_id": f"<{number}@example.org>",
        "date": "2026-06-05T10:30:45+00:00",
        "date_source": "header",
        "subject": SECRETS[0],
        "from": SECRETS[1],
        "to": "me@example.org",
        "cc": None,
        "bcc": None,
        "reply_to": None,
        "addresses": [{"role": "from", "name": None, "address": SECRETS[1]}],
        "in_reply_to": None,
        "references": [],
        "body_text": f"{SECRETS[2]} {number}\n",
        "body_text_source": "text",
        "body_html": None,
        "attachments": [],
        "headers": [{"name": "Subject", "value": SECRETS[0]}],
        "size": len(octets),
        "raw_sha256": sha256(octets).hexdigest(),
        "defects": [],
        "raw": base64.b64encode(octets).decode() if eml else None,
        "source": {"protocol": "imap", "folder": "INBOX", "uid": number, "uidvalidity": 7},
    } | changes
    record.setdefault("message_hash", None)
    if "content_hash" not in record:
        try:
            record["content_hash"] = hash_by_hand(record)
        except (KeyError, TypeError, ValueError):  # a test of what is wrong with a record
            record["content_hash"] = "0" * 64
    record.setdefault("year_month", None)
    return record


def hash_by_hand(record: Json) -> str:
    """The content hash as DESIGN.md section 4 words it, written a second time."""
    content = [record.get(key) for key in ("message_id", "date", "from", "to", "cc", "bcc", "subject")]
    content += [
        record.get("body_text") if record.get("body_text_source") == "text" else None,
        record.get("body_html"),
        [
            [each["filename"], each["content_type"], each["sha256"]]
            for each in record.get("attachments") or []
        ],
    ]
    return sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def schema_line(stream: str = STREAM, *, without: tuple[str, ...] = (), **message: Any) -> Json:
    schema = load_schema("message")
    for name in without:
        del schema["properties"][name]
    keys = ["account", "message_id", "content_hash"]
    return {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": keys} | message


def record_line(number: int = 1, *, stream: str = STREAM, **changes: Any) -> Json:
    return {"type": "RECORD", "stream": stream, "record": a_record(number, **changes)}


def state_line(uid: int, **more: Any) -> Json:
    """A STATE with one bookmark; *more* are other keys of its bookmarks."""
    folders = {"INBOX": {"uidvalidity": 7, "last_uid": uid}}
    return {
        "type": "STATE",
        "value": {"bookmarks": {STREAM: {"accounts": {"gmail": {"folders": folders}}}} | more},
    }


def stream_of(count: int, *, state_every: int = 2) -> list[Json]:
    """SCHEMA, *count* records over three months, a STATE after every few and at the end."""
    lines = [schema_line()]
    for number in range(1, count + 1):
        lines.append(record_line(number, date=f"2026-{number % 3 + 1:02d}-05T10:30:45+00:00"))
        if number % state_every == 0 or number == count:
            lines.append(state_line(number))
    return lines


def encoded(lines: list[Any]) -> bytes:
    """Singer lines as bytes; bytes and text stay as they are."""
    return b"".join(
        line
        if isinstance(line, bytes)
        else line.encode()
        if isinstance(line, str)
        else json.dumps(line).encode() + b"\n"
        for line in lines
    )


def uid(state: Json) -> int:
    """The bookmark in a state of `state_line`."""
    number: int = state["bookmarks"][STREAM]["accounts"]["gmail"]["folders"]["INBOX"]["last_uid"]
    return number


@dataclass
class Result:
    """What a run gave."""

    code: int
    states: list[Json]
    log: str = ""
    target: TargetHashFS | None = field(default=None, repr=False)


def archive_here(path: Path, lines: list[Any], **config: Any) -> Result:
    """Run the target in this process: exit code as the command's, without its logging."""
    return archive_slowly(path, lines, **config)


def archive_slowly(path: Path, lines: Iterable[Any], **config: Any) -> Result:
    """Run the target in this process over lines that are made while it reads."""

    class Lines:
        def __iter__(self) -> Iterator[bytes]:
            return (encoded([line]) for line in lines)

    out = io.StringIO()
    target = None
    try:
        with contextlib.redirect_stdout(out), a_target(path, **config) as target:
            target.archive_all(Lines())  # type: ignore[arg-type]
    except TargetError as error:
        return Result(1, _states(out.getvalue()), str(error), target)
    return Result(0, _states(out.getvalue()), "", target)


@contextlib.contextmanager
def a_target(path: Path, **config: Any) -> Iterator[TargetHashFS]:
    """A target in this process that leaves no descriptor open, however it ends."""
    target = TargetHashFS(config={"path": str(path), "min_free_bytes": 0} | config)
    try:
        yield target
    finally:
        if target.archive._leases is not None:
            with contextlib.suppress(OSError):  # the test may have broken it
                target.archive._leases.release()
        if target.archive._root is not None:
            target.archive._root.close()


def archive_watched(path: Path, lines: list[Any], **config: Any) -> list[tuple[Json, int]]:
    """Run the target in this process; return each state with the number of message files at that moment."""
    seen = []

    class Watching(io.StringIO):
        def write(self, text: str) -> int:
            seen.append((json.loads(text), len(tree(path))))
            return len(text)

    with contextlib.redirect_stdout(Watching()), a_target(path, **config) as target:
        target.archive_all(io.BytesIO(encoded(lines)))  # type: ignore[arg-type]
    return seen


def command(path: Path, tmp_path: Path, **config: Any) -> list[str]:
    """The command line of a target process."""
    content = json.dumps({"path": str(path), "min_free_bytes": 0} | config)
    file = tmp_path / f"config-{sha256(content.encode()).hexdigest()[:8]}.json"
    file.write_text(content)
    return [sys.executable, "-m", "target_hashfs", "--config", str(file)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def archive(
    path: Path, tmp_path: Path, lines: list[Any], *, prefix: tuple[str, ...] = (), **config: Any
) -> Result:
    """Run the target as a process of its own."""
    done = subprocess.run(
        [*prefix, *command(path, tmp_path, **config)],
        input=encoded(lines),
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    return Result(done.returncode, _states(done.stdout.decode()), done.stderr.decode())


def _states(text: str) -> list[Json]:
    return [json.loads(line) for line in text.splitlines()]


def tree(path: Path) -> dict[str, bytes]:
    """All files of the archive that belong to messages: path and content."""
    return {
        name: content
        for name, content in everything(path).items()
        if not name.startswith(("_", "hashfs.json"))
    }


def everything(path: Path) -> dict[str, bytes]:
    """Every file below *path*, leases aside; of a symbolic link its target."""
    found = {}
    for folder, _, names in os.walk(path):
        if folder == str(path / "_lock"):
            continue
        for name in names:
            file = Path(folder, name)
            content = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
            found[file.relative_to(path).as_posix()] = content
    return found


def journal(path: Path, name: str = "live-poll", *, torn: bool = False) -> list[Json]:
    """All entries of a journal, after checking that numbers and digests form a chain; *torn*: whole lines alone."""
    entries = []
    previous = "0" * 64
    content = (path / "_journal" / f"{name}.jsonl").read_bytes()
    whole = content[: content.rfind(b"\n") + 1] if torn else content
    for number, line in enumerate(whole.splitlines(), 1):
        entry = json.loads(line)
        assert entry["seq"] == number
        assert entry["prev"] == previous
        previous = sha256(line).hexdigest()
        entries.append(entry)
    return entries


def events(path: Path, name: str = "live-poll") -> list[str]:
    return [entry["event"] for entry in journal(path, name)]


def check_covered(path: Path, *, recovered_too: bool = True) -> None:
    """Every file has its journal line, and every line its file with the digest it names."""
    named = {}
    for entry in journal(path):
        if entry["event"] in {"archived", "variant", "recovered"}:
            named[entry["path"]] = entry
    files = tree(path)
    assert {name for name in files if name.endswith(".json")} == set(named)
    for name, entry in named.items():
        assert sha256(files[name]).hexdigest() == entry["file_sha256"]
        assert len(files[name]) == entry["size"]
        eml = files.get(name.removesuffix(".json") + ".eml")
        assert (None if eml is None else sha256(eml).hexdigest()) == entry["eml_sha256"]
