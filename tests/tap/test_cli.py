"""The tap's command line: discovery, --test, exit codes, signals, and no secret in any of its output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.servers.imap_script import HANG, Mailbox, Message
from tests.tap.runs import files_account, imap_account, mail
from tests.waiting import unread

TAP = [sys.executable, "-m", "tap_mailbox"]


def tap(
    tmp_path, config: dict | None, *arguments: str, state: object = None, **options
) -> subprocess.CompletedProcess:
    """Run the tap with this configuration."""
    command = [*TAP, *arguments]
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
        command += ["--config", str(tmp_path / "config.json")]
    if state is not None:
        (tmp_path / "state.json").write_text(state if isinstance(state, str) else json.dumps(state))
        command += ["--state", str(tmp_path / "state.json")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


@pytest.fixture
def tree(tmp_path):
    """A directory with forty messages of 60 kB."""
    path = tmp_path / "mail"
    path.mkdir()
    for number in range(40):
        (path / f"{number:03}.eml").write_bytes(mail(number, body="x" * 60_000))
    return path


def test_discovery_needs_no_configuration(tmp_path):
    """All three streams, with raw off unless it is selected."""
    done = tap(tmp_path, None, "--discover")
    streams = {each["stream"]: each for each in json.loads(done.stdout)["streams"]}
    assert {"imap_messages", "graph_messages", "file_messages"} == streams.keys()
    for stream in streams.values():
        metadata = {tuple(each["breadcrumb"]): each["metadata"] for each in stream["metadata"]}
        assert metadata["properties", "raw"]["selected-by-default"] is False
        assert {"account", "message_id", "content_hash"} == set(stream["key_properties"])
        assert "LOG_BASED" == stream["replication_method"]


def test_raw_is_off_without_a_catalog_and_on_when_selected(tmp_path, tree):
    """`raw` is for those who ask for it."""
    config = {"accounts": [files_account(tree)]}
    (without, *_) = records(tap(tmp_path, config).stdout)
    assert "raw" not in without
    catalog = json.loads(tap(tmp_path, config, "--discover").stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = True
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    (with_raw, *_) = records(tap(tmp_path, config, "--catalog", str(tmp_path / "catalog.json")).stdout)
    assert with_raw["raw"]


def test_about_and_version(tmp_path):
    """Both plugins of the distribution know their version and their settings."""
    assert "tap-mailbox v" in tap(tmp_path, None, "--version").stdout
    about = json.loads(tap(tmp_path, None, "--about", "--format=json").stdout)
    assert "accounts" in about["settings"]["properties"]
    assert "batch" not in about["capabilities"]


def test_test_mode(tmp_path, dovecot):
    """--test reads one message and tells a wrong password by its exit code."""
    user = dovecot.new_user()
    dovecot.fill(user, "INBOX", [mail(1), mail(2)])
    config = {"accounts": [imap_account(dovecot, user)]}
    done = tap(tmp_path, config, "--test")
    assert (0, 1) == (done.returncode, len(records(done.stdout)))
    config["accounts"][0]["auth"][0]["password"] = "not-this-one"
    assert 3 == tap(tmp_path, config, "--test").returncode


@pytest.mark.parametrize("workers", ["auto", "0", "2"])
def test_configuration_from_the_environment(tmp_path, tree, workers):
    """--config=ENV reads TAP_MAILBOX_*."""
    accounts = json.dumps([files_account(tree)])
    others = {"TAP_MAILBOX_MAX_WAIT": "0.5", "TAP_MAILBOX_RECONCILE_DAYS": "null", "TAP_MAILBOX_ONLY": ""}
    environment = {**os.environ, "TAP_MAILBOX_ACCOUNTS": accounts, "TAP_MAILBOX_WORKERS": workers, **others}
    done = tap(tmp_path, None, "--config=ENV", env=environment)
    assert (0, 40) == (done.returncode, len(records(done.stdout)))


@pytest.mark.parametrize("arguments", [[], ["--test"], ["--discover"]])
def test_environment_that_cannot_be_read(tmp_path, arguments):
    """One line that names the variable and not its value, exit 1."""
    environment = {**os.environ, "TAP_MAILBOX_MAX_WAIT": "fake-secret"}
    done = tap(tmp_path, None, "--config=ENV", *arguments, env=environment)
    assert (1, "") == (done.returncode, done.stdout)
    assert "TAP_MAILBOX_MAX_WAIT must be JSON of type number" in done.stderr
    assert all(word not in done.stderr for word in ("fake-secret", "Traceback"))


def test_numbers_with_a_fraction(tmp_path, tree):
    """A setting of 0.5 seconds is a number like another."""
    account = {**files_account(tree), "connect_timeout": 0.5}
    assert 0 == tap(tmp_path, {"accounts": [account], "max_wait": 1.5}).returncode


@pytest.mark.parametrize(
    ("config", "state", "words"),
    [
        (
            {"accounts": [{"name": "a", "protocol": "imap", "passphrase": "fake-secret"}]},
            None,
            "'a': passphrase",
        ),
        (
            {"accounts": [files_one := {"name": "a", "protocol": "files", "path": "."}], "only": ["b"]},
            None,
            "only",
        ),
        ({"accounts": [files_one]}, "{not json", "not JSON"),
        (
            {"accounts": [files_one]},
            {"bookmarks": {"file_messages": {"accounts": []}}},
            "file_messages.accounts",
        ),
        ({"accounts": [files_one]}, [], "must be an object"),
        ({"accounts": [files_one]}, {"singer_state": [1]}, "singer_state must be an object"),
        ({"accounts": [files_one]}, {"a": {"last_uid": 7}}, "mailbox import-state"),
        (None, None, "accounts is missing"),
        ([1], None, "config.json cannot be read: it is no JSON object"),
        ("fake-secret", None, "config.json cannot be read: it is no JSON object"),
    ],
)
def test_nothing_starts(tmp_path, config, state, words):
    """Bad configuration and bad state: exit 1, nothing on stdout, one readable line, no value, no traceback."""
    done = tap(tmp_path, config, state=state)
    assert (1, "") == (done.returncode, done.stdout)
    assert words in done.stderr
    assert "fake-secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--state", "/nowhere.json"],
        ["--catalog", "/nowhere.json"],
        ["--no-such"],
        ["--config", "/nowhere.json"],
    ],
)
def test_command_line_that_starts_nothing(tmp_path, arguments):
    """A file that is not there and an option that does not exist are exit 1, too."""
    done = tap(tmp_path, None, *arguments)
    assert (1, "") == (done.returncode, done.stdout)
    assert "Traceback" not in done.stderr


def test_no_secret_in_any_output(tmp_path, dovecot):
    """Whatever the level of logging, no password, subject, address or body reaches a log."""
    user = dovecot.new_user(password="fake-pass-word")
    dovecot.append(user, "INBOX", mail(1, body="a body of their own"))
    environment = {**os.environ, "LOGLEVEL": "DEBUG", "TAP_MAILBOX_LOGLEVEL": "DEBUG"}
    done = tap(tmp_path, {"accounts": [imap_account(dovecot, user)]}, env=environment)
    assert 1 == len(records(done.stdout))
    for secret in ("fake-pass-word", "Message 1", "ann@example.org", "body of their own"):
        assert secret not in done.stderr


def test_summary_names_every_account(tmp_path, tree):
    """One line an account at the end, as fields."""
    done = tap(tmp_path, {"accounts": [files_account(tree), files_account(tree / "none", name="gone")]})
    assert 3 == done.returncode
    assert "account=old-mac status=complete folders=1 messages=40" in done.stderr
    assert "account=gone status=partial" in done.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_on_a_blocked_pipe(tmp_path, tree, signum):
    """With nobody reading, a signal ends the tap within 5 s, 128+n, and every line in the pipe is whole."""
    (tmp_path / "config.json").write_text(json.dumps({"accounts": [files_account(tree)]}))
    process = subprocess.Popen(
        [*TAP, "--config", str(tmp_path / "config.json")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    wait_until_asleep_in_the_pipe(process)
    started = time.monotonic()
    process.send_signal(signum)
    assert 128 + signum == process.wait(timeout=30)
    assert time.monotonic() - started < 5
    out = process.stdout.read().decode()
    process.stdout.close()
    assert out.endswith("\n")
    assert len(records(out)) > 3


def test_signal_in_the_middle_of_a_huge_line(tmp_path, tree):
    """A line longer than the pipe, and nobody reading: the alarm ends the tap within 5 s, with a word about it."""
    (tree / "000.eml").write_bytes(mail(0, body="x" * 3_000_000))
    (tmp_path / "config.json").write_text(json.dumps({"accounts": [files_account(tree)]}))
    process = subprocess.Popen(
        [*TAP, "--config", str(tmp_path / "config.json")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until_asleep_in_the_pipe(process)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert 143 == process.wait(timeout=30)
    assert time.monotonic() - started < 5
    assert b"no orderly end" in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def test_signal_in_the_middle_of_a_run(tmp_path, tree):
    """A signal between two records: what came before is covered by the last STATE, and no line is torn."""
    (tmp_path / "config.json").write_text(json.dumps({"accounts": [files_account(tree)]}))
    process = subprocess.Popen(
        [*TAP, "--config", str(tmp_path / "config.json")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out = first + process.stdout.read()
    process.stdout.close()
    assert 143 == process.wait(timeout=30)
    assert [json.loads(line)["type"] for line in out.splitlines()]


@pytest.mark.parametrize("command", ["LOGIN", "LIST", "STATUS", "UID FETCH"])
def test_signal_while_the_server_is_silent(tmp_path, make_imap_script, command):
    """A server that says nothing does not keep the tap: 128+n within 5 s, with summary and state."""
    server = make_imap_script({"INBOX": Mailbox({1: Message(mail(1))})})
    reached = threading.Event()

    def silent(_command, _usual):
        reached.set()
        return HANG

    server.answer(command, silent)
    state = {"bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": {"INBOX": {"last_uid": 0}}}}}}}
    (tmp_path / "config.json").write_text(json.dumps({"accounts": [imap_account(server)]}))
    (tmp_path / "state.json").write_text(json.dumps(state))
    process = subprocess.Popen(
        [*TAP, "--config", str(tmp_path / "config.json"), "--state", str(tmp_path / "state.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reached.wait(timeout=30)
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=5)
    assert 143 == process.returncode
    assert state == next(
        line["value"] for line in map(json.loads, out.splitlines()) if line["type"] == "STATE"
    )
    assert "status=interrupted" in log


def test_target_that_dies(tmp_path, tree):
    """When the target closes the pipe the tap ends at once with an error of one line."""
    (tmp_path / "config.json").write_text(json.dumps({"accounts": [files_account(tree)]}))
    process = subprocess.Popen(
        [*TAP, "--config", str(tmp_path / "config.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert 1 == process.wait(timeout=30)
    assert "the target closed the pipe" in error
    assert "Traceback" not in error


def records(out: str) -> list[dict]:
    """Return the records among the lines; every line must be JSON."""
    lines = [json.loads(line) for line in out.splitlines()]
    return [line["record"] for line in lines if line["type"] == "RECORD"]


def wait_until_asleep_in_the_pipe(process: subprocess.Popen) -> None:
    """Return once the pipe holds something and has not grown for a while: the writer waits for a reader."""
    before, still = 0, 0
    deadline = time.monotonic() + 30
    while still < 20 and time.monotonic() < deadline:
        assert process.poll() is None
        now = unread(process.stdout.fileno())
        still = still + 1 if now and now == before else 0
        before = now
        time.sleep(0.02)  # how much room the next line wants cannot be seen: only that nothing comes
