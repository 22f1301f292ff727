"""Rules for the code of the two packages."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_LINES = 300
MODULES = sorted(path for name in ("tap_mailbox", "target_hashfs") for path in (ROOT / name).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_modules_are_short() -> None:
    """A file has one job and at most 300 lines."""
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_modules_say_what_they_are_for() -> None:
    """Every file starts with a docstring, and no file is empty."""
    silent = [
        name_of(path)
        for path in MODULES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize("package", ["tap_mailbox", "target_hashfs"])
def test_packages_are_typed(package: str) -> None:
    """Whoever imports a package gets its types."""
    assert (ROOT / package / "py.typed").exists()


def test_lock_has_every_dependency() -> None:
    """What pyproject.toml and requirements-dev.in ask for is pinned, with hashes, and names no server."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(ROOT / "requirements-dev.in").read_text(encoding="utf-8").splitlines(),
    ]
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    pinned = {line.split("==")[0] for line in lock.splitlines() if "==" in line}
    names = {
        line.split(";")[0].translate(str.maketrans("[>=<~!", "      ")).split()[0].lower().replace("_", "-")
        for line in wanted
        if line.strip() and not line.startswith("#")
    }
    assert set() == names - pinned
    assert lock.count("==") <= lock.count("--hash=sha256:")
    assert "://" not in lock
