"""Records of messages, as `schemas/message.json` describes them; and RECORDS.jsonl for the corpus's score.py.

python tests/tap/mime/records.py CORPUS_DIR RECORDS.jsonl
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tap_mailbox.mime import ParsedMessage, parse_message  # noqa: E402

CORPUS = Path(os.environ.get("TAP_MAILBOX_CORPUS") or ROOT.parent / "shared/corpus")
NO_CORPUS = f"no corpus at {CORPUS}: set TAP_MAILBOX_CORPUS"


def record_of(message: ParsedMessage) -> dict[str, Any]:
    """Return the properties of a record that come from the message itself."""
    values = dataclasses.asdict(message)
    values["from"] = values.pop("from_")
    values["headers"] = [{"name": name, "value": value} for name, value in message.headers]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def corpus_files() -> Iterator[tuple[str, bytes]]:
    """Yield path (below messages/ or adversarial/) and octets of every message of the corpus."""
    for folder in ("messages", "adversarial"):
        for path in sorted((CORPUS / folder).rglob("*")):
            if path.is_file() and path.name != "notes.tsv":
                yield str(path.relative_to(CORPUS / folder)), path.read_bytes()


def corpus_rows() -> Iterator[dict[str, Any]]:
    """Yield the rows that score.py reads."""
    for file, octets in corpus_files():
        begun = time.process_time()
        message = parse_message(octets)
        seconds = time.process_time() - begun
        yield {"file": file, "record": record_of(message), "seconds": seconds}


def main() -> None:
    with Path(sys.argv[2]).open("w", encoding="utf-8") as records:
        records.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in corpus_rows())


if __name__ == "__main__":
    main()
