"""`Case`: the pair on a pipe over one archive, broken on purpose, and the four checks that follow.

What every case checks after its fault (`Case.after_fault`) and after a restart with the last STATE that came
out (`Case.restart`):

1. the STATEs that came out promise nothing but what the journal had named before, and what is there;
2. the restart ends with exit 0 on both sides;
3. the tree equals the one of an undisturbed run under `diff -r`, journals, state and leases aside;
4. `hashfs verify` finds no damage, and after the restart not even a note.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tap_mailbox.tap import TapMailbox
from tests.faults.warm import Started, Warm
from tests.target.contents import journal

Json = dict[str, Any]
Promise = Callable[[Json], set[str]]
"""What a state says is archived: the paths of its messages in the archive."""

BOOKKEEPING = {"_journal", "_state", "_lock", "hashfs.json"}


@dataclass
class Ran:
    """How a run of the pair ended."""

    tap: int
    target: int
    states: list[Json]
    tap_log: str
    target_log: str

    def __str__(self) -> str:
        return f"tap {self.tap}, target {self.target}\n{self.tap_log}\n{self.target_log}"


@dataclass
class Live:
    """A pair that runs."""

    case: Case
    tap: Started
    target: Started

    def finish(self) -> Ran:
        """Wait for both ends; return what they said."""
        codes = self.tap.wait(), self.target.wait()
        return Ran(*codes, self.case.states(), *(self.case.log(name) for name in ("tap", "target")))


class Case:
    """An archive and the pair that writes it; *accounts* are the tap's, *promise* reads their states."""

    def __init__(
        self,
        directory: Path,
        warm: Warm,
        accounts: Sequence[Json],
        promise: Promise = lambda _state: set(),
        *,
        archive: Path | None = None,
        seen: Path | None = None,
        workers: int = 0,
        **target: Any,
    ) -> None:
        """Write the configuration; *seen* is where these tests find the *archive* of a mount namespace.

        *workers* is the tap's: what it starts must not depend on the machine.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.archive = archive or directory / "archive"
        self.path = seen or self.archive
        self.warm = warm
        self.state: Json | None = None
        """The last STATE that came out."""
        self._promise = promise
        self._write("catalog", everything_selected())
        self._write("tap", {"accounts": list(accounts), "workers": workers})
        self._write(
            "target", {"path": str(self.archive), "min_free_bytes": 0, "commit_messages": 20} | target
        )

    # Running

    def start(self, *, stopped: bool = False, states: int | None = None) -> Live:
        """Start both ends; with *stopped* the target waits to be resumed; *states* is its standard output."""
        with (
            self._opened("tap.log") as tap_log,
            self._opened("target.log") as target_log,
            self._opened("states") as out,
        ):
            reading, writing = os.pipe()
            target = self.warm.start(
                "target", self.arguments("target"), stdin=reading, stdout=out if states is None else states,
                stderr=target_log, stopped=stopped,
            )  # fmt: skip
            os.close(reading)
            tap = self.warm.start("tap", self.arguments("tap"), stdout=writing, stderr=tap_log)
            os.close(writing)
        return Live(self, tap, target)

    def arguments(self, program: str) -> list[str]:
        """Return the command line of one side."""
        arguments = ["--config", str(self.directory / f"{program}.json")]
        if program == "tap":
            arguments += ["--catalog", str(self.directory / "catalog.json")]
            if self.state is not None:
                arguments += ["--state", self._write("state", self.state)]
        return arguments

    def run(self) -> Ran:
        """Run the pair to its end."""
        return self.start().finish()

    # Checking

    def after_fault(self, ran: Ran, *, readable: bool = True) -> None:
        """Check what a broken run left, and keep its last state; not *readable*: the archive cannot be seen."""
        assert "Traceback" not in ran.tap_log + ran.target_log, ran
        if ran.states:
            self.state = ran.states[-1]
        if readable:
            self.check_promises(ran.states)
            self.verify(notes_too=False)

    def restart(self, expected: Mapping[str, str]) -> Ran:
        """Run the pair again as Meltano would, with the last state; check that all is as if nothing had been."""
        ran = self.run()
        assert (0, 0) == (ran.tap, ran.target), ran
        self.check_promises(ran.states)
        self.state = ran.states[-1]
        assert self.state == json.loads((self.path / "_state/state.json").read_text())
        assert expected == listing(self.path)
        self.verify()
        return ran

    def check_promises(self, states: Sequence[Json]) -> None:
        """Every state is that of a commit line, and the lines before it name all that it promises."""
        if not states:
            return
        # A run that was killed may have died within a line.
        entries = journal(self.path, torn=True)
        commits = [number for number, entry in enumerate(entries) if entry["event"] == "commit"]
        at = -1
        for state in states:
            at = next(number for number in commits if number > at and entries[number]["state"] == state)
            named = {entry["path"]: entry["file_sha256"] for entry in entries[:at] if "content_hash" in entry}
            missing = self._promise(state) - set(named)
            assert not missing
        for path, digest in named.items():
            assert digest == sha256((self.path / path).read_bytes()).hexdigest(), path

    def verify(self, *, notes_too: bool = True) -> None:
        """`hashfs verify` finds no damage; *notes_too*: and nothing to remark."""
        if not (self.path / "hashfs.json").exists() or not (self.path / "hashfs.json").stat().st_size:
            return  # it died before it was an archive
        code, said = self.warm.run("hashfs", "verify", "--jobs", "1", str(self.archive))
        assert 0 == code, said
        assert not notes_too or said.endswith("0 damaged, 0 notes\n"), said

    # Files

    def states(self) -> list[Json]:
        """Return the states that came out of the last run, a line torn by a signal aside."""
        lines = (self.directory / "states").read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def states_read(self, text: bytes) -> None:
        """Keep what a test has read itself of the states, for the checks."""
        (self.directory / "states").write_bytes(text.lstrip())

    def log(self, name: str) -> str:
        """Return what one side logged in the last run."""
        return (self.directory / f"{name}.log").read_text()

    def _opened(self, name: str) -> Any:
        return _Descriptor(self.directory / name)

    def _write(self, name: str, document: object) -> str:
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(document))
        return str(path)


class _Descriptor:
    """A file opened for writing, as its descriptor."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> int:
        self._number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        return self._number

    def __exit__(self, *_: object) -> None:
        os.close(self._number)


@functools.cache
def everything_selected() -> Json:
    """A catalog with `raw`, as Meltano makes it."""
    catalog: Json = json.loads(json.dumps(TapMailbox(config={}, validate_config=False).catalog_dict))
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = True
    return catalog


def listing(path: Path) -> dict[str, str]:
    """What `diff -r` compares: every file by path with its digest and mode, and every directory."""
    return dict(_listing(path, ""))


def _listing(path: Path, below: str) -> Iterator[tuple[str, str]]:
    with os.scandir(path) as entries:
        for entry in entries:
            if not below and entry.name in BOOKKEEPING:
                continue
            name, mode = below + entry.name, f"{entry.stat(follow_symlinks=False).st_mode:o}"
            if entry.is_dir(follow_symlinks=False):
                yield name, mode
                yield from _listing(Path(entry.path), f"{name}/")
            else:
                yield name, f"{mode} {sha256(Path(entry.path).read_bytes()).hexdigest()}"
