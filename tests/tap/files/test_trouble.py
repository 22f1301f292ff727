"""The files source when things go wrong: what ends the account, what is a failure, what is only counted."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tap_mailbox.errors import AccountError, Stopped
from tap_mailbox.stop import Stop
from tests.tap.files.trees import eml, mbox_of, plant, run, source_of


def test_missing_path(tmp_path):
    """A path that is not there ends the account with what to do about it."""
    with pytest.raises(AccountError, match=r"nothing: expected a file or directory.*found nothing.*Mount"):
        run(tmp_path / "nothing")


def test_path_without_permission(tmp_path, monkeypatch):
    """A path that cannot be opened ends the account; tests may run as root, so the refusal is staged."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(AccountError, match=r"cannot be opened \(Permission denied\)"):
        run(tmp_path)


def refuse_to_open(monkeypatch, name, error):
    """Make opening files of that name fail: tests may run as root, whom no mode keeps out."""
    really = Path.open

    def staged(self, *args, **kwargs):
        if self.name == name:
            raise error
        return really(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", staged)


@pytest.mark.parametrize("name", ["b.eml", "m", "cur/b"])
def test_an_unreadable_file_is_a_failure(tmp_path, monkeypatch, name):
    """The file is named, the rest is read, and the directory is tried again by the next run."""
    plant(
        tmp_path,
        {
            "a.eml": eml(),
            "b.eml": eml(),
            "c/d.eml": eml(),
            "m": mbox_of(eml()),
            "cur/b": eml(),
            "new/.x": b"",
        },
    )
    bookmark: dict = {}
    with monkeypatch.context() as patch:
        refuse_to_open(patch, name.rpartition("/")[2], PermissionError(13, "Permission denied"))
        found = run(tmp_path, bookmark=bookmark)
    assert [f"{name}: cannot be read (Permission denied)"] == found.report.failures
    everything = ["a.eml", "b.eml", "c/d.eml", "cur/b", "m#1"]
    assert [path for path in everything if not (path or "").startswith(name)] == found.paths
    assert "." not in bookmark["paths"]
    again = run(tmp_path, bookmark=bookmark)
    assert again.report.failures == []
    assert {name, "a.eml"} <= again.opened
    assert "c/d.eml" not in again.opened


def test_an_error_in_the_middle_of_an_mbox(tmp_path, monkeypatch):
    """What was handed over stays, the message that broke off is not passed on, the mbox is tried again."""
    plant(tmp_path, {"m": mbox_of(eml("1"), eml("2", "x" * 3_000_000)), "n": mbox_of(eml("3"))})
    really = Path.open

    class Failing:
        def __init__(self, stream):
            self.stream = stream

        def readline(self, size):
            if self.stream.tell() > 1_000_000:
                raise OSError(5, "Input/output error")
            return self.stream.readline(size)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

    def staged(self, mode, buffering=-1):
        stream = really(self, mode, buffering)
        return Failing(stream) if self.name == "m" and buffering > 1 else stream

    monkeypatch.setattr(Path, "open", staged)
    bookmark: dict = {}
    found = run(tmp_path, bookmark=bookmark)
    assert found.paths == ["m#1", "n#1"]
    assert found.report.failures == ["m: cannot be read further than message 1 (Input/output error)"]
    assert list(bookmark["paths"]) == ["n"]


def test_a_file_that_vanishes(tmp_path):
    """A file that is gone when its turn comes is counted; a renamed one is read by the next run."""
    plant(tmp_path, {"cur/1.h:2,": eml("1"), "cur/2.h:2,": eml("2"), "new/3.h": eml("3"), "z/a.eml": eml()})
    bookmark: dict = {}
    source = source_of(tmp_path, bookmark=bookmark)
    for item in source.messages():
        if getattr(item, "seen", None) and item.seen.path == "cur/1.h:2,":
            (tmp_path / "cur/2.h:2,").rename(tmp_path / "cur/2.h:2,S")
            (tmp_path / "new/3.h").unlink()
    assert (source.report.vanished, source.report.failures, source.report.messages) == (2, [], 2)
    assert bookmark["paths"]["."]["count"] == 1
    assert run(tmp_path, bookmark=bookmark).paths == ["cur/1.h:2,", "cur/2.h:2,S"]


def test_a_disk_that_vanishes(tmp_path):
    """When all is gone at once the account ends: an empty mount point is not a mailbox that was emptied."""
    tree = plant(tmp_path / "disk", {"a/1.eml": eml(), "a/2.eml": eml(), "b/3.eml": eml()})
    bookmark: dict = {}
    messages = source_of(tree, bookmark=bookmark).messages()
    next(messages)
    tree.rename(tmp_path / "elsewhere")
    with pytest.raises(AccountError, match="found nothing there"):
        next(messages)
    messages = source_of(tmp_path / "elsewhere", bookmark=bookmark).messages()
    next(messages)
    (tmp_path / "elsewhere").rename(tree)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(AccountError, match="found another one there"):
        next(messages)
    assert bookmark == {}


def test_stop(tmp_path):
    """After a signal no further message comes, not even from within a long one."""
    stop = Stop()
    plant(tmp_path, {"a": mbox_of(eml("1"), eml("2", "x\n" * 50_000)), "b.eml": eml()})
    messages = source_of(tmp_path, stop=stop).messages()
    next(messages)
    stop.signum = signal.SIGTERM
    with pytest.raises(Stopped):
        next(messages)


def test_nothing_there(tmp_path):
    """A directory without mail is worth a warning: perhaps the path is wrong."""
    assert [f"{tmp_path}: no mail found"] == run(tmp_path).report.warnings


def test_deep_nesting(tmp_path):
    """Directories nested beyond reason are named, not a crash."""
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(405):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    found = run(tmp_path)
    assert re.fullmatch(
        r"d(/d)+: is nested deeper than 400 directories; not searched", found.report.failures[0]
    )
