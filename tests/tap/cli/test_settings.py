"""Where the configuration comes from with `--config`, and what every command has in common."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.tap.cli.commands import mailbox, start, write_config

COMMANDS = ("check", "folders", "import-state", "login", "logout")


def entry(name: str = "a", **more: object) -> dict[str, object]:
    """Return an account that fails at once, and so shows that it was found."""
    auth = [{"method": "password", "password": "fake-secret"}]
    account = {"name": name, "protocol": "imap", "email": "a@example.org", "host": "127.0.0.1", "port": 1}
    return {**account, "tls": "none", "auth": auth, **more}


def test_help() -> None:
    """Every command shows an example and the options of the configuration."""
    assert set(COMMANDS) <= set(mailbox("--help").stdout.split())
    for command in COMMANDS:
        shown = mailbox(command, "--help")
        assert (0, True) == (shown.exit_code, f"  mailbox {command} " in shown.stdout)
        assert {"--config", "--extractor", "--environment"} <= set(shown.stdout.split())


def test_version() -> None:
    """The distribution's."""
    assert f"mailbox, version {version('tap-mailbox')}\n" == mailbox("--version").stdout


def test_options_on_both_sides(tmp_path: Path) -> None:
    """The configuration may be named before or behind the command."""
    config = write_config(tmp_path / "c.json", entry())
    for arguments in (["--config", config, "check"], ["check", "--config", config]):
        result = mailbox(*arguments)
        assert (3, True) == (result.exit_code, "a (imap" in result.stdout)


def test_yaml_and_several_files(tmp_path: Path) -> None:
    """YAML as well as JSON; of several files the later ones win, as with the tap."""
    (tmp_path / "one.yaml").write_text(f"only: [one]\naccounts: {json.dumps([entry('one'), entry('two')])}\n")
    (tmp_path / "two.json").write_text('{"only": ["two"]}')
    result = mailbox("check", "--config", tmp_path / "one.yaml", "--config", tmp_path / "two.json")
    assert (True, False) == ("two (imap" in result.stdout, "one (imap" in result.stdout)


def test_plain_words_stay_words(tmp_path: Path) -> None:
    """`password: yes` is a password, as Meltano's YAML 1.2 has it."""
    (tmp_path / "c.yaml").write_text(
        "accounts: [{name: a, protocol: imap, email: a@example.org, host: 127.0.0.1, port: 1, tls: none, "
        "auth: [{method: password, password: yes}]}]\nstart_date: 2026-01-01\n"
    )
    assert "connection" in mailbox("check", "--config", tmp_path / "c.yaml").stdout


def test_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--config ENV` reads TAP_MAILBOX_*, as the tap does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAP_MAILBOX_ACCOUNTS", json.dumps([entry()]))
    assert "a (imap" in mailbox("check", "--config", "ENV").stdout
    monkeypatch.setenv("TAP_MAILBOX_ACCOUNTS", '[{"password": "fake-secret"')
    result = mailbox("check", "--config", "ENV")
    assert (1, True) == (result.exit_code, "TAP_MAILBOX_ACCOUNTS" in result.stderr)
    assert "fake-secret" not in result.output


def test_settings_of_the_sdk(tmp_path: Path) -> None:
    """Stream maps are the SDK's business; any other strange key is refused by name."""
    config = write_config(tmp_path / "c.json", entry(), stream_maps={}, flattening_enabled=False)
    assert 3 == mailbox("check", "--config", config).exit_code
    result = mailbox("check", "--config", write_config(tmp_path / "c.json", entry(), unheard_of=[]))
    assert (1, "Error: unheard_of is no known key\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("[fake-secret", "is not YAML"),
        ("fake-secret", "expected a mapping"),
        ('{"accounts": [{"name": "a", "protocol": "imap"}]}', "account 'a': auth is missing"),
        (
            '{"accounts": [{"name": "a", "protocol": "imap", "password": "fake-secret"}]}',
            "password is no known key",
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "folders", "login", "logout"])
def test_broken_configuration(tmp_path: Path, command: str, content: str | None, words: str) -> None:
    """Exit 1, whatever the command; the file or the account is named, no value is."""
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    result = mailbox(command, "a", "--config", path)
    assert (1, "") == (result.exit_code, result.stdout)
    assert words in result.stderr
    assert "fake-secret" not in result.output


def test_unknown_account(tmp_path: Path) -> None:
    """Those that there are get named."""
    config = write_config(tmp_path / "c.json", entry("one"), entry("two"))
    for command in ("check", "folders", "login", "logout"):
        result = mailbox(command, "three", "--config", config)
        assert (1, True) == (result.exit_code, "three; there are one, two" in result.stderr)


def test_account_of_many_mailboxes(tmp_path: Path) -> None:
    """`folders` wants one of them by its address."""
    auth = [{"method": "msal", "client_id": "c", "client_secret": "fake-secret", "tenant_id": "t"}]
    account = {
        "name": "org",
        "protocol": "graph",
        "auth": auth,
        "mailboxes": ["A@example.org", "b@example.org"],
    }
    result = mailbox("folders", "org", "--config", write_config(tmp_path / "c.json", account))
    assert (1, True) == (result.exit_code, "name one of: a@example.org, b@example.org" in result.stderr)


def test_wrong_command_line() -> None:
    """Exit 2, as is the custom."""
    assert [2, 2, 2] == [mailbox(*each).exit_code for each in (["nothing"], ["check", "--no"], ["login"])]


def test_logging_is_left_as_it_was(tmp_path: Path) -> None:
    """The command adds no handler for good."""
    before = [logging.getLogger(name).handlers[:] for name in ("", "tap_mailbox")]
    mailbox("check", "-v", "--config", write_config(tmp_path / "c.json", entry()))
    assert before == [logging.getLogger(name).handlers for name in ("", "tap_mailbox")]


def test_libraries_are_quiet() -> None:
    """What libraries warn of stays off the terminal, also with -v: it may be a token; our own warnings are shown."""
    program = """if True:
        import logging
        from tap_mailbox.cli import main
        @main.command()
        def speak():
            logging.getLogger("msal").warning("fake-secret")
            logging.getLogger("tap_mailbox.x").warning("own warning")
            logging.getLogger("tap_mailbox.x").info("own remark")
        main()
    """
    for arguments, expected in (
        ([], "WARNING: own warning\n"),
        (["-v"], "WARNING: own warning\nINFO: own remark\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments, "speak"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert expected == done.stderr


def test_as_a_process(tmp_path: Path) -> None:
    """`python -m tap_mailbox.cli` is the command: a broken state is exit 1 on stderr."""
    (tmp_path / "state.json").write_text("{")
    with start("import-state", tmp_path / "state.json", cwd=tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (1, "") == (process.returncode, out)
    assert err.startswith("Error: ")
    assert "Traceback" not in err
