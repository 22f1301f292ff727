"""The command: exit codes, signals, pipes, and what it says (DESIGN.md section 8)."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.target.contents import check_covered, events, everything, tree
from tests.target.lines import SECRETS, Json, encoded, record_line, schema_line, state_line, stream_of, uid
from tests.target.running import ROOT, archive, archive_here, command, environment


def test_run_and_summary(path: Path, tmp_path: Path) -> None:
    """Exit 0, states alone on stdout, one line of summary, and no personal data in the log."""
    lines = [*stream_of(3), record_line(1, content_hash="0" * 64, subject="x"), record_line(3)]
    result = archive(path, tmp_path, lines)
    assert (0, [3]) == (result.code, [uid(state) for state in result.states])
    assert "5 messages: 5 archived" in result.log
    assert "1 derived values" in result.log
    assert not [secret for secret in SECRETS if secret in result.log]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_on_an_idle_pipe(path: Path, running: Any, signum: int) -> None:
    """What was received is committed, its state leaves, the exit code tells the signal, and soon."""
    run = running(path, commit_seconds=1000)
    run.send([*stream_of(3), record_line(8)])
    run.wait_for_file(path / "hashfs.json")
    run.wait_until_idle()
    started = time.monotonic()
    run.process.send_signal(signum)
    result = run.finish()
    assert time.monotonic() - started < 5
    assert (128 + signum, [3]) == (result.code, [uid(state) for state in result.states])
    assert 8 == len(tree(path))
    check_covered(path)
    assert not list(path.rglob("*.tmp"))


def test_signal_before_any_input(path: Path, running: Any) -> None:
    """Nothing is written."""
    run = running(path)
    run.wait_for_log(b"Skipping parse of env")
    run.process.terminate()
    assert (143, []) == ((result := run.finish()).code, result.states)
    assert not path.exists()


def test_signal_in_the_middle_of_a_stream(path: Path, running: Any) -> None:
    """The message in progress is finished; the last state out is covered; no error is reported."""
    run = running(path, commit_messages=7)

    def send_for_ever() -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(run.stdin.fileno(), encoded([schema_line()]))
            for number in itertools.count(1):
                os.write(run.stdin.fileno(), encoded([record_line(number), state_line(number)]))

    tap = threading.Thread(target=send_for_ever)
    tap.start()
    states = [run.next_state()]
    run.process.terminate()
    result = run.finish()
    tap.join()
    states += result.states
    assert 143 == result.code
    assert uid(states[-1]) * 2 <= len(tree(path))
    assert "Traceback" not in result.log
    check_covered(path)


def test_signal_with_stdout_blocked(path: Path, running: Any) -> None:
    """Nobody reads the states: the exit still comes within five seconds, and the archive is whole."""
    big = {"bookmarks": {"x": {"text": "x" * 300_000}}}
    run = running(path, commit_seconds=0)
    run.send([schema_line(), record_line(1), {"type": "STATE", "value": big}])
    run.wait_for_file(path / "_state/state.json")
    started = time.monotonic()
    run.process.terminate()
    assert 143 == run.process.wait(timeout=10)
    assert time.monotonic() - started < 5
    assert 0 == archive_here(path, [schema_line(), record_line(1), record_line(2)]).code
    check_covered(path)


def test_commit_seconds_on_an_idle_pipe(path: Path, running: Any) -> None:
    """A tap that waits does not keep what it sent from being archived and acknowledged."""
    run = running(path, commit_seconds=0.2)
    run.send([schema_line(), record_line(1), state_line(1)])
    assert 1 == uid(run.next_state())
    assert 2 == len(tree(path))
    run.send([state_line(2)])
    assert 2 == uid(run.next_state())
    run.stdin.close()
    assert (0, []) == ((result := run.finish()).code, result.states)
    assert ["archived", "commit", "commit"] == events(path)


def test_reader_of_states_gone(path: Path, running: Any) -> None:
    """Meltano died: everything is durable, exit 1, one line."""
    run = running(path, commit_seconds=1000)
    run.stdout.close()
    run.send(stream_of(3))
    run.stdin.close()
    log = run.stderr.read().decode()
    assert 1 == run.process.wait(timeout=20)
    assert "standard output" in log
    assert "Traceback" not in log
    assert "Exception ignored" not in log
    assert 6 == len(tree(path))


def redirecting(how: str) -> tuple[str, ...]:
    """Put before a command: it runs with its standard streams as a shell's *how* says."""
    return ("sh", "-c", f'exec "$@" {how}', "sh")


@pytest.mark.parametrize(("how", "text"), [("<&-", "standard input"), (">&-", "standard output")])
def test_closed_pipes(path: Path, tmp_path: Path, how: str, text: str) -> None:
    """One line, exit 1, and nothing is written."""
    result = archive(path, tmp_path, stream_of(3), prefix=redirecting(how))
    assert (1, []) == (result.code, result.states)
    assert text in result.log.splitlines()[-1]
    assert "Traceback" not in result.log
    assert not path.exists()


def test_states_that_cannot_be_written(path: Path, tmp_path: Path) -> None:
    """Where standard output leads takes nothing: everything is durable, exit 1, one line says why."""
    (tmp_path / "read-only").touch()
    result = archive(path, tmp_path, stream_of(3), prefix=redirecting(f"1<{tmp_path / 'read-only'}"))
    assert 1 == result.code
    assert "Bad file descriptor" in result.log.splitlines()[-1]
    assert "are durable" in result.log.splitlines()[-1]
    assert "Traceback" not in result.log
    assert "Exception ignored" not in result.log
    check_covered(path)
    assert 6 == len(tree(path))


def test_tap_dies_inside_a_line(path: Path, tmp_path: Path) -> None:
    """Everything before it is archived and acknowledged, then exit 1."""
    torn = encoded([record_line(9)])[:-30]
    result = archive(path, tmp_path, [*stream_of(4), torn])
    assert (1, [4]) == (result.code, [uid(state) for state in result.states])
    assert "ended inside line" in result.log
    assert 8 == len(tree(path))
    assert not [secret for secret in SECRETS if secret in result.log]


def test_two_runs_at_once(path: Path, running: Any) -> None:
    """Without leases they append in turn, to one journal and to another; nothing is lost or written twice."""
    names = ("live-poll", "live-poll", "import")
    runs = [running(path, commit_messages=3, journal=name, lease=False) for name in names]
    streams = [stream_of(30), stream_of(45), stream_of(40)]
    for run, lines in zip(runs, streams, strict=True):
        run.send(lines)
    for run in runs:
        run.stdin.close()
    results = [run.finish() for run in runs]
    assert [0, 0, 0] == [result.code for result in results]
    assert [30, 45, 40] == [uid(result.states[-1]) for result in results]
    assert 90 == len(tree(path))
    lines = events(path) + events(path, "import")
    assert 45 == lines.count("archived")
    assert 0 == lines.count("variant")


def test_large_line(path: Path, tmp_path: Path) -> None:
    """A message of many megabytes is one line; it is read in linear time."""
    started = time.monotonic()
    result = archive(
        path, tmp_path, [schema_line(), record_line(1, body_text="x" * 40_000_000), state_line(1)]
    )
    assert (0, 1) == (result.code, uid(result.states[-1]))
    assert time.monotonic() - started < 30


def test_lone_surrogates_from_a_foreign_tap(path: Path, tmp_path: Path) -> None:
    """Fast decoders refuse them; they become U+FFFD."""
    line = json.dumps(record_line(1)).replace(SECRETS[0], "x\\udce9\\u0000")
    result = archive(path, tmp_path, [schema_line(), line + "\n", state_line(1)])
    assert (0, 1) == (result.code, uid(result.states[-1]))
    document = next(text for name, text in tree(path).items() if name.endswith(".json"))
    assert "x\ufffd\ufffd" == json.loads(document)["subject"]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"pth": 1}, "'pth'"),
        ({"commit_messages": "secret"}, "commit_messages: expected integer, found string"),
        ({"commit_messages": 0}, "commit_messages: expected at least 1"),
        ({"journal": "../x"}, "journal: expected"),
        ({"durability": "none"}, "durability: expected one of"),
        ({"path": "~nobody-of-this-name/secret"}, "path: expected a user with a home"),
        ({"path": "b\0secret"}, "path: expected text that fits"),
        ({"archive_id": 5}, "archive_id: expected string"),
    ],
)
def test_bad_configuration(path: Path, config: Json, text: str) -> None:
    """Named by key, without the value; nothing is written."""
    result = archive_here(**{"path": path, "lines": stream_of(1)} | config)
    assert 1 == result.code
    assert text in result.log
    assert "secret" not in result.log
    assert not path.exists()


def test_configuration_files(tmp_path: Path) -> None:
    """No path, no file, no JSON: one line each and exit 1. Null means not set."""
    for content, text in (("{}", "'path' is missing"), (None, "no such file"), ("{", "no JSON")):
        file = tmp_path / "c.json"
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        done = subprocess.run(
            [sys.executable, "-m", "target_hashfs", "--config", str(file)],
            capture_output=True,
            input=b"",
            env=environment(),
            check=False,
        )
        assert (1, b"") == (done.returncode, done.stdout)
        assert text in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()
    assert 0 == archive_here(tmp_path / "a", stream_of(1), journal=None, archive_id=None).code


def test_about_and_version() -> None:
    """Both work without a configuration; every setting is listed."""
    about = subprocess.run(
        [sys.executable, "-m", "target_hashfs", "--about", "--format=json"],
        capture_output=True,
        env=environment(),
        check=True,
    )
    settings = json.loads(about.stdout)["settings"]["properties"]
    ours = json.loads((ROOT / "schemas/target-config.json").read_text())["properties"]
    assert set(ours) | {"stream_maps", "flattening_enabled"} <= set(settings)
    assert not {"batch_size_rows", "load_method", "add_record_metadata"} & set(settings)


def test_input_file(path: Path, tmp_path: Path) -> None:
    """--input reads a file instead of standard input."""
    file = tmp_path / "in.jsonl"
    file.write_bytes(encoded(stream_of(3)))
    done = subprocess.run(
        [*command(path, tmp_path), "--input", str(file)], capture_output=True, env=environment(), check=True
    )
    assert 3 == uid(json.loads(done.stdout))


def test_read_only_root(path: Path, tmp_path: Path) -> None:
    """A user without the right to write gets told so."""
    path.mkdir()
    path.chmod(0o500)
    if os.access(path, os.W_OK):
        pytest.skip("this user (root?) may write anywhere")
    result = archive_here(path, stream_of(1))
    assert (1, []) == (result.code, result.states)
    assert {} == everything(path)


def test_path_that_is_a_file(path: Path) -> None:
    """Said in plain words."""
    path.write_text("x")
    result = archive_here(path, stream_of(1))
    assert (1, []) == (result.code, result.states)
    assert "no directory" in result.log
