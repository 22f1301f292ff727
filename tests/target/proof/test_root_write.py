"""`hashfs root --write`: the roots become a file, and nothing else comes to harm."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.target.contents import looks
from tests.target.proof.commands import hashfs


def test_nothing_is_written_inside(path: Path) -> None:
    """What lies in the archive proves nothing about it."""
    before = looks(path)
    assert 2 == hashfs("root", path, "--write", path / "roots").exit_code
    assert before == looks(path)


def pipe(place: Path) -> None:
    os.mkfifo(place)


def dangling(place: Path) -> None:
    place.symlink_to("nowhere")


def link_to_file(place: Path) -> None:
    (place.parent / "kept").write_text("roots of last year")
    place.symlink_to("kept")


def socket_file(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (pipe, "found a device, pipe or socket"),
        (socket_file, "found a device, pipe or socket"),
        (dangling, "found a symbolic link"),
        (link_to_file, "found a symbolic link"),
        (Path.mkdir, "is a directory"),
    ],
)
def test_only_a_file_is_replaced(
    path: Path, tmp_path: Path, make: Callable[[Path], None], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else stands at FILE stays as it is, and is refused before anything is read."""
    monkeypatch.setattr("target_hashfs.cli.root.compute_roots", None)
    make(tmp_path / "roots")
    before = looks(tmp_path)
    result = hashfs("root", path, "--write", tmp_path / "roots")
    assert 2 == result.exit_code
    assert text in result.stderr
    assert before == looks(tmp_path)


def test_file_is_replaced(path: Path, tmp_path: Path) -> None:
    """The roots of last year make place for those of today."""
    (tmp_path / "roots").write_text("roots of last year")
    assert 0 == hashfs("root", path, "--write", tmp_path / "roots").exit_code
    assert 0 == hashfs("root", path, "--check", tmp_path / "roots").exit_code


def test_directory_that_is_missing(path: Path, tmp_path: Path) -> None:
    """The error is about FILE, not about the archive, and comes first."""
    result = hashfs("root", path, "--write", tmp_path / "missing/roots")
    assert (2, "") == (result.exit_code, result.stdout)
    assert f"to write {tmp_path / 'missing/roots'} in" in result.stderr


def test_file_that_cannot_be_written(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that gives up at the end is that of FILE; nothing half written stays."""

    def fail(*_arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("target_hashfs.cli.root.Store.replace", fail)
    result = hashfs("root", path, "--write", tmp_path / "roots")
    assert 1 == result.exit_code
    assert f"writing {tmp_path / 'roots'} failed: Input/output error" in result.stderr
    assert ["archive"] == [each.name for each in tmp_path.iterdir()]
