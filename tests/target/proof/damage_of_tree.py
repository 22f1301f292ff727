"""Damage to the tree of accounts, years and months: each way does one, and says where it has to be found."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from tests.target.proof.example import stem


def remove_month(path: Path) -> str:
    shutil.rmtree(path / "gmail/2026/07")
    return "gmail/2026/07"


def remove_account(path: Path) -> str:
    shutil.rmtree(path / "work")
    return "work/2026/06"


def add_file(path: Path) -> str:
    (path / "gmail/2026/06/notes.txt").write_text("x")
    return "gmail/2026/06/notes.txt"


def add_json(path: Path) -> str:
    (path / "gmail/2026/06/notes.json").write_text("{}")
    return "gmail/2026/06/notes.json"


def add_undecodable_name(path: Path) -> str:
    Path(os.fsdecode(os.fsencode(path) + b"/gmail/2026/06/\xff")).write_text("x")
    return "gmail/2026/06/\\xff"


def add_directory(path: Path) -> str:
    (path / f"{stem(8)}.json").mkdir()
    return f"{stem(8)}.json"


def add_pipe(path: Path) -> str:
    os.mkfifo(path / f"{stem(8)}.json")
    return f"{stem(8)}.json"


def add_socket(path: Path) -> str:
    """Its name must be short enough to be bound."""
    here = Path.cwd()
    os.chdir(path / "gmail/2026/06")
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("s")
    finally:
        os.chdir(here)
    return "gmail/2026/06/s"


def at_the_top(path: Path) -> str:
    (path / "Thumbs.db").write_text("x")
    return "Thumbs.db"


def directory_at_the_top(path: Path) -> str:
    (path / "No Account").mkdir()
    return "No Account"


def in_the_account(path: Path) -> str:
    (path / "gmail/x").write_text("x")
    return "gmail/x"


def in_the_year(path: Path) -> str:
    (path / "gmail/2026/summer").mkdir()
    return "gmail/2026/summer"


def link_to_a_month(path: Path) -> str:
    (path / "gmail/2026/08").symlink_to(path / "gmail/2026/06")
    return "gmail/2026/08"


def temporary(path: Path) -> str:
    name = f"gmail/2026/06/.{'0' * 16}.json.1a2b3c4d.tmp"
    (path / name).write_text("x")
    return name


def month_mode(path: Path) -> str:
    (path / "gmail/2026/06").chmod(0o755)
    return "gmail/2026/06"
