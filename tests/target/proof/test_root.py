"""`hashfs root`: RFC 6962 hashing, and that equal archives, and only they, have equal roots."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_hashfs.proof import hashing
from target_hashfs.proof.hashing import compute_roots
from target_hashfs.proof.merkle import MerkleTree, leaf_hash
from tests.target.contents import looks, tree
from tests.target.lines import record_line, schema_line, state_line, stream_of
from tests.target.proof.commands import hashfs
from tests.target.proof.example import MESSAGES, ONE, THREE
from tests.target.running import archive_here

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
"""The entries that Certificate Transparency tests its trees with."""
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The roots of the first 0, 1, … 8 of them, as Certificate Transparency's own tests state them."""


@pytest.mark.parametrize("count", range(9))
def test_known_answers(count: int) -> None:
    """What RFC 6962's first users compute."""
    merkle = MerkleTree()
    for leaf in LEAVES[:count]:
        merkle.add(leaf_hash(leaf))
    assert (ROOTS[count], count) == (merkle.root().hex(), merkle.size)


def by_definition(leaves: list[bytes]) -> bytes:
    """Section 2.1 of RFC 6962, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


@given(st.lists(st.binary(max_size=3), max_size=70))
def test_leaf_by_leaf_is_the_definition(leaves: list[bytes]) -> None:
    """However many leaves there are."""
    merkle = MerkleTree()
    for leaf in leaves:
        merkle.add(leaf_hash(leaf))
    assert by_definition(leaves) == merkle.root()


def by_hand(path: Path) -> str:
    """The root of an archive as the module's docstring words it, written a second time."""
    months: dict[str, list[bytes]] = {}
    for name, content in sorted(tree(path).items(), key=lambda each: each[0].encode()):
        line = f"{name}\n{sha256(content).hexdigest()}".encode()
        months.setdefault(name.rpartition("/")[0], []).append(line)
    accounts: dict[str, list[bytes]] = {}
    for month, leaves in months.items():
        line = f"{month}\n{by_definition(leaves).hex()}".encode()
        accounts.setdefault(month.partition("/")[0], []).append(line)
    return by_definition(
        [f"{name}\n{by_definition(leaves).hex()}".encode() for name, leaves in sorted(accounts.items())]
    ).hex()


def whole(path: Path, jobs: int = 1) -> str:
    found = compute_roots(path, None, jobs=jobs).whole
    assert found is not None
    return found.root


def test_roots_are_as_documented(path: Path) -> None:
    """Months, accounts, and the whole on the last line, as it is worded."""
    result = hashfs("root", path)
    names = [line.split("  ")[1] for line in result.stdout.splitlines()]
    assert ["gmail/2026/06", "gmail/2026/07", "gmail", "work/2026/06", "work", "."] == names
    assert f"{by_hand(path)}  ." == result.stdout.splitlines()[-1]


def test_equal_mail_has_equal_roots(path: Path, tmp_path: Path) -> None:
    """However it came in, and whatever the journals say."""
    other = tmp_path / "other"
    archive_here(other, [schema_line(), *reversed(MESSAGES[:4])], commit_messages=1, journal="import")
    archive_here(other, [schema_line(), *MESSAGES])
    assert by_hand(path) == by_hand(other) == whole(path) == whole(other)


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_do_not_matter(path: Path, jobs: int) -> None:
    """More files than one batch holds."""
    archive_here(path, [schema_line(), *(record_line(number) for number in range(100, 400))])
    assert by_hand(path) == whole(path, jobs)


def test_empty_archive(tmp_path: Path) -> None:
    """The root of nothing is the hash of nothing."""
    archive_here(tmp_path / "archive", [schema_line(), state_line(1)])
    assert sha256(b"").hexdigest() == whole(tmp_path / "archive")


def flip(path: Path) -> None:
    file = path / f"{ONE}.json"
    file.write_bytes(file.read_bytes().replace(b"The body", b"Uhe body"))


def add(path: Path) -> None:
    (path / "gmail/2026/06/x").write_text("x")


def move(path: Path) -> None:
    shutil.move(path / f"{ONE}.json", path / "gmail/2026/07")


def remove(path: Path) -> None:
    (path / f"{ONE}.eml").unlink()


def rename_account(path: Path) -> None:
    (path / "gmail").rename(path / "gmai1")


def swap(path: Path) -> None:
    """Two files change names: the same names, the same contents."""
    one, other = path / f"{ONE}.eml", path / f"{ONE}.json"
    one.rename(path / "gmail/x")
    other.rename(one)
    (path / "gmail/x").rename(other)


def link(path: Path) -> None:
    (path / f"{ONE}.json").rename(path.parent / "x")
    (path / f"{ONE}.json").symlink_to(path.parent / "x")


@pytest.mark.parametrize("change", [flip, add, move, remove, rename_account, swap, link])
def test_any_change_changes_the_root(path: Path, change: Callable[[Path], None]) -> None:
    """Content, name, place, number."""
    before = whole(path)
    change(path)
    assert before != whole(path)


def test_what_is_aside(path: Path) -> None:
    """Journals, state, quarantine and temporary files do not count."""
    before = whole(path)
    (path / "_state/state.json").unlink()
    shutil.rmtree(path / "_journal")
    shutil.rmtree(path / "_quarantine")
    (path / f"gmail/2026/06/.{'0' * 16}.json.1a2b3c4d.tmp").write_text("x")
    (path / "gmail/2026/08").mkdir()
    assert before == whole(path)


def test_write_and_check(path: Path, tmp_path: Path) -> None:
    """A copy is the same; the file is the same for both; nothing is written into the archive."""
    before = looks(path)
    result = hashfs("root", path, "--write", tmp_path / "roots")
    assert 0 == result.exit_code
    assert before == looks(path)
    copy = shutil.copytree(path, tmp_path / "copy")
    assert 0 == hashfs("root", copy, "--write", tmp_path / "again", "--check", tmp_path / "roots").exit_code
    assert (tmp_path / "roots").read_bytes() == (tmp_path / "again").read_bytes()
    assert (tmp_path / "roots").read_text() == hashfs("root", path, "--json").stdout
    assert {"archive", "copy", "roots", "again"} == {each.name for each in tmp_path.iterdir()}


def test_check_says_what_differs(path: Path, tmp_path: Path) -> None:
    """Month and account by name, those that are missing or new too; exit 1."""
    hashfs("root", path, "--write", tmp_path / "roots")
    (path / f"{THREE}.eml").write_bytes(b"x")
    shutil.rmtree(path / "work")
    archive_here(path, [schema_line(), record_line(5, account="home")])
    result = hashfs("root", path, "--check", tmp_path / "roots")
    assert 1 == result.exit_code
    lines = result.stdout.splitlines()
    names = ["gmail", "gmail/2026/07", "home", "home/2026/06", "work", "work/2026/06", "."]
    assert names == [line.split(": ")[0] for line in lines[:-1]]
    assert "found nothing" in lines[4]
    document = json.loads(hashfs("root", path, "--check", tmp_path / "roots", "--json").stdout)
    assert (False, names) == (document["same"], [each["name"] for each in document["differences"]])


def test_one_account(path: Path, tmp_path: Path) -> None:
    """Others may differ."""
    hashfs("root", path, "--write", tmp_path / "roots")
    shutil.rmtree(path / "work")
    assert 1 == hashfs("root", path, "--check", tmp_path / "roots").exit_code
    assert 0 == hashfs("root", path, "--account", "gmail", "--check", tmp_path / "roots").exit_code
    assert "gmail" == hashfs("root", path, "--account", "gmail").stdout.splitlines()[-1].split("  ")[1]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": "hashfs-root", "version": 2, "accounts": {}, "root": null}']
)
def test_file_that_is_none(path: Path, tmp_path: Path, content: str) -> None:
    """Refused, with what was expected."""
    (tmp_path / "roots").write_text(content)
    result = hashfs("root", path, "--check", tmp_path / "roots")
    assert 2 == result.exit_code
    assert "hashfs root --write" in result.stderr or "--write wrote" in result.stderr


def test_file_that_cannot_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No root is better than a wrong one."""
    original = hashing.read

    def fail(store: Any, name: str, *, keep: bool) -> Any:
        if name == f"{ONE}.json":
            return hashing.Finding(hashing.Code.UNREADABLE, name, "to read it", "Input/output error")
        return original(store, name, keep=keep)

    monkeypatch.setattr(hashing, "read", fail)
    result = hashfs("root", path)
    assert (1, "") == (result.exit_code, result.stdout)
    assert f"{ONE}.json" in result.stderr


def test_run_in_between(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root is that of a moment between two commits: months that grew meanwhile are hashed again."""
    original = hashing._hash
    grown: list[int] = []

    def grow(*arguments: Any) -> Any:
        result = original(*arguments)
        if not grown:
            grown.append(archive_here(path, [schema_line(), *stream_of(9)[1:]]).code)
        return result

    monkeypatch.setattr(hashing, "_hash", grow)
    root = whole(path)
    assert [0] == grown
    assert by_hand(path) == root
