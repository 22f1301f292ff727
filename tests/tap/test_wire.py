"""The writer: a line is begun only when the pipe has room for the whole of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading

import pytest
from singer_sdk.singerlib import RecordMessage, StateMessage

from tap_mailbox.errors import OutputGone, Stopped
from tap_mailbox.stop import Stop
from tap_mailbox.tap import TapMailbox
from tap_mailbox.wire import PipeWriter
from tests.tap.runs import files_account, handlers_restored, mail


@contextlib.contextmanager
def pipe_as_stdout():
    """Put a pipe in the place of stdout; yields its reading end. (Not a fixture: pytest replaces stdout later.)"""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, contextlib.redirect_stdout(out):
        yield reading
    with contextlib.suppress(OSError):
        os.close(reading)


def stopped() -> Stop:
    """A stop that was asked for, without its alarm."""
    stop = Stop()
    stop.signum = signal.SIGTERM
    return stop


def record(size: int) -> RecordMessage:
    """A record of about this many octets."""
    return RecordMessage(stream="s", record={"text": "x" * size})


@pytest.mark.parametrize("size", [10, 4_000, 4_096, 50_000, 300_000, 900_000])
def test_full_pipe_holds_whole_lines(size):
    """A writer that is to stop fills the pipe to the brim and leaves no half line in it."""
    writer = PipeWriter(stopped())
    written = 0
    with pipe_as_stdout() as pipe:
        with contextlib.suppress(Stopped):
            while True:
                writer.write_message(record(size))
                written += 1
        os.set_blocking(pipe, False)
        lines = b""
        while chunk := _read(pipe):
            lines += chunk
    assert written == len([json.loads(line) for line in lines.splitlines()])
    assert lines.endswith(b"\n")
    assert written > 0


@pytest.mark.parametrize("size", [2_000_000, 10])
def test_everything_arrives(size):
    """Lines longer than the pipe and shorter ones arrive in order as somebody reads."""
    received: list[bytes] = []

    def read(pipe: int) -> None:
        lines = 0
        while lines < 5 and (chunk := os.read(pipe, 65_536)):
            received.append(chunk)
            lines += chunk.count(b"\n")

    with pipe_as_stdout() as pipe:
        reader = threading.Thread(target=read, args=[pipe], daemon=True)
        reader.start()
        writer = PipeWriter(Stop())
        for number in range(5):
            writer.write_message(StateMessage(value={"n": number, "x": "y" * size}))
        reader.join(timeout=20)
    assert [0, 1, 2, 3, 4] == [json.loads(line)["value"]["n"] for line in b"".join(received).splitlines()]


def test_reader_that_is_gone():
    """A closed pipe is an error, not silence."""
    with pipe_as_stdout() as pipe:
        os.close(pipe)
        with pytest.raises(OutputGone):
            PipeWriter(Stop()).write_message(record(10))


def test_reader_that_goes_while_the_pipe_is_full():
    """A writer that waits for room notices that nobody will make any."""
    with pipe_as_stdout() as pipe:
        writer = PipeWriter(Stop())
        for _ in range(2):
            writer.write_message(record(500_000))
        threading.Timer(0.2, os.close, [pipe]).start()
        with pytest.raises(OutputGone):
            writer.write_message(record(500_000))


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""


class Ended(PipeWriter):
    """Ctrl-C comes to both ends, and the target is gone first."""

    def write_message(self, message):
        """Find no reader, with the signal just taken note of."""
        self._stop.signum = signal.SIGINT
        raise OutputGone("Broken pipe")


def test_target_that_ended_by_the_same_signal(tmp_path):
    """The exit code is the signal's, not that of a target that died."""
    (tmp_path / "1.eml").write_bytes(mail(1))
    with handlers_restored():
        tap = TapMailbox(config={"accounts": [files_account(tmp_path)]}, message_writer=Ended(stop := Stop()))
        tap.stop = stop
        assert 130 == tap.run()
