"""`bare_loop.py LINES`: writes what a target would, by the same durability protocol, and does nothing else.

The bytes are there already, so that only the writing is timed: two files a message under temporary names, one
syncfs, links, unlinks, one sync of every directory, one journal write, 500 messages at a time.
"""

# The plain calls are the point.
# ruff: noqa: PTH103, PTH108, PTH123
from __future__ import annotations

import base64
import ctypes
import json
import os
import sys

_COMMIT = 500


def main() -> None:
    """Read the records, then write them."""
    files = []
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "RECORD":
                record = message["record"]
                octets = base64.b64decode(record.pop("raw"))
                place = f"benchmark/{record['date'][:4]}/{record['date'][5:7]}"
                document = json.dumps(record, indent=2).encode()
                files.append((place, f"{len(files):016x}", document, octets))
    begun = os.times()
    for start in range(0, len(files), _COMMIT):
        _commit(files[start : start + _COMMIT])
    ended = os.times()
    print(ended.elapsed - begun.elapsed)


def _commit(batch) -> None:
    names = []
    for place, name, document, octets in batch:
        os.makedirs(place, exist_ok=True)
        for ending, content in ((".eml", octets), (".json", document)):
            path = f"{place}/{name}{ending}"
            with open(f"{path}.tmp", "xb", buffering=0) as file:
                file.write(content)
            names.append(path)
    root = os.open(".", os.O_RDONLY)
    ctypes.CDLL(None).syncfs(root)
    os.close(root)
    for path in names:
        os.link(f"{path}.tmp", path)
        os.unlink(f"{path}.tmp")
    for place in {place for place, *_ in batch}:
        directory = os.open(place, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
    with open("journal", "ab", buffering=0) as journal:
        journal.write(b"".join(b"%s\n" % path.encode() * 4 for path in names))
        os.fdatasync(journal.fileno())


if __name__ == "__main__":
    main()
