"""What is in an archive: its files, its journal, whether the one covers the other, and what no run may leave."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

from tests.target.lines import Json


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


def looks(path: Path) -> dict[str, tuple[int, ...]]:
    """Everything below *path*, with what would betray a change."""
    found = {}
    for folder, folders, files in os.walk(path):
        for name in [*folders, *files, "."]:
            status = os.lstat(Path(folder, name))
            found[f"{folder}/{name}"] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
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


def no_litter(path: Path) -> None:
    """Neither temporary files nor an intent are left."""
    names = set(everything(path))
    assert not [name for name in names if name.endswith((".tmp", ".intent"))]
