"""`mailbox login`: what is shown, what is written, how it ends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.servers.oauth import Entra, OAuthServer
from tests.tap.cli.commands import mailbox, start, write_config
from tests.tap.cli.sign_ins import SECRETS, approve


def test_command_device(entra: Entra, outlook: dict[str, Any], tmp_path: Path) -> None:
    """As a process: it shows address and code, waits, says the next step; no secret on either stream."""
    config = write_config(tmp_path / "config.json", outlook)
    with start("login", "outlook", "--config", config, "-v") as process:
        assert process.stdout is not None
        shown = process.stdout.readline()
        address, code = re.findall(r"Open (\S+) .* code (\S+)", shown)[0]
        assert address == f"{entra.authority}/devicelogin"
        entra.approve(code)
        out, err = process.communicate(timeout=30)
    assert (0, True) == (process.returncode, "mailbox check outlook" in out)
    assert not SECRETS.search(shown + out + err)


@pytest.mark.parametrize("opens", [True, False], ids=["browser", "no browser"])
def test_command_browser(oauth: OAuthServer, gmail: dict[str, Any], tmp_path: Path, opens: bool) -> None:
    """As a process: it opens the browser of $BROWSER, or shows the address and how to get there from afar."""
    config = write_config(tmp_path / "config.json", gmail)
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}.tmp; mv {opened}.tmp {opened}\n')
    program.chmod(0o755)
    arguments = ["login", "gmail", "--config", config] + ([] if opens else ["--no-browser"])
    with start(*arguments, BROWSER=str(program)) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        head = ""
        for line in lines:
            head += line
            if "Waiting" in line:
                break
        url = next(line.strip() for line in head.splitlines() if "/authorize?" in line)
        approve(oauth)(url)
        out, err = process.communicate(timeout=30)
    assert (0, "") == (process.returncode, err)
    assert "mailbox check gmail" in out
    assert opened.exists() is opens
    assert ("ssh -L" in head) is not opens
    assert not SECRETS.search(head + out + err)


def test_command_declined(entra: Entra, outlook: dict[str, Any], tmp_path: Path) -> None:
    """An account that could not be signed in to is exit 3."""
    config = write_config(tmp_path / "config.json", outlook)
    with start("login", "outlook", "--config", config) as process:
        assert process.stdout is not None
        entra.decline(re.findall(r"code (\S+)", process.stdout.readline())[0])
        _, err = process.communicate(timeout=30)
    assert 3 == process.returncode
    assert "Error: the sign-in was declined" in err


@pytest.mark.parametrize(
    ("auth", "arguments", "code", "words"),
    [
        ([{"method": "password", "password": "fake-secret"}], [], 0, "signs in with a password"),
        (
            [{"method": "msal", "client_id": "c", "client_secret": "fake-secret", "tenant_id": "t"}],
            [],
            0,
            "the application itself",
        ),
        ([{"method": "password", "password": "fake-secret"}], ["--method", "2"], 1, "there are 1 (password)"),
        (
            [{"method": "password", "password": "fake-secret"}],
            ["--method", "msal"],
            1,
            "there are 1 (password)",
        ),
    ],
)
def test_nothing_to_do(tmp_path: Path, auth: list, arguments: list[str], code: int, words: str) -> None:
    """Accounts without a person's token say so; a method that is not there is named with those that are."""
    account = {"name": "a", "protocol": "imap", "email": "a@example.org", "host": "127.0.0.1", "auth": auth}
    result = mailbox("login", "a", "--config", write_config(tmp_path / "c.json", account), *arguments)
    assert code == result.exit_code
    assert words in result.output
    assert "fake-secret" not in result.output


def test_method_of_several(oauth: OAuthServer, gmail: dict[str, Any], tmp_path: Path) -> None:
    """The first method with a token file is taken although a password stands before it."""
    gmail["auth"].insert(0, {"method": "password", "password": "fake-secret"})
    config = write_config(tmp_path / "config.json", gmail)
    with start("login", "gmail", "--config", config, "--no-browser") as process:
        assert process.stdout is not None
        url = next(line.strip() for line in process.stdout if "/authorize?" in line)
        approve(oauth)(url)
        process.communicate(timeout=30)
    assert 0 == process.returncode


def test_wrong_key(gmail: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed TAP_MAILBOX_KEY is found before anybody is asked to sign in."""
    monkeypatch.setenv("TAP_MAILBOX_KEY", "fake-secret")
    result = mailbox("login", "gmail", "--config", write_config(tmp_path / "c.json", gmail))
    assert (1, True) == (result.exit_code, "TAP_MAILBOX_KEY" in result.stderr)
    assert "fake-secret" not in result.output
