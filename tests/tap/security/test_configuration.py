"""A secret that stands in the wrong place of the configuration is not quoted by the refusal."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox.cli.documents import read_yaml
from tap_mailbox.config import parse_config
from tap_mailbox.errors import ConfigError
from tap_mailbox.schema import load_schema

SECRET = "fake-Secret-Zq7"
IMAP = {
    "name": "ann",
    "protocol": "imap",
    "email": "ann@example.org",
    "provider": "gmail",
    "host": "imap.example.org",
    "port": 993,
    "tls": "implicit",
    "ca_file": "ca.pem",
    "folders": {"include": ["*"], "exclude": ["x"]},
    "connections": 2,
    "auth": [
        {"method": "password", "username": "ann", "password": "fake"},
        {"method": "password", "password_command": ["echo", "fake"]},
        {"method": "password", "credential_file": "fake.json"},
        {"method": "xoauth2", "client_file": "fake.json", "token_file": "fake.json"},
        {
            "method": "xoauth2",
            "client_id": "fake",
            "client_secret": "fake",
            "token_url": "https://login.example.org/token",
            "auth_url": "https://login.example.org/",
            "revoke_url": "https://login.example.org/revoke",
            "scope": "imap",
        },
        {"method": "xoauth2", "service_account_file": "fake.json"},
    ],
}
GRAPH = {
    "name": "bob",
    "protocol": "graph",
    "email": "bob@example.org",
    "graph_url": "https://graph.example.org/v1.0",
    "authority": "https://login.example.org",
    "reconcile_days": 7,
    "max_wait": 9,
    "auth": [{"method": "msal", "client_id": "fake", "client_secret": "fake", "tenant_id": "contoso"}],
}
FILES = {"name": "old", "protocol": "files", "path": "mail", "format": "auto"}
WHOLE = {"accounts": [IMAP, GRAPH, FILES], "credentials_dir": ".", "start_date": None, "max_wait": 900}
NAMED = {("accounts", number, "name") for number in range(3)}
"""A name is what errors call an account by."""
WRONG = [
    SECRET,
    f"https://ann:{SECRET}@example.org/",
    f"http://{SECRET}@[",
    7,
    [SECRET],
    {SECRET[:4]: SECRET},
]


def places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*above, key)
        yield from places(each, (*above, key))


def replaced(path: tuple[str | int, ...], wrong: Any) -> dict[str, Any]:
    """Return the whole configuration with another value at one place."""
    config = copy.deepcopy(WHOLE)
    node: Any = config
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = wrong
    return config


def test_right() -> None:
    """The configuration that is broken below is right."""
    assert len(parse_config(WHOLE, load_schema("tap-config")).accounts) == 3


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_value_is_quoted(wrong: Any) -> None:
    """Wherever it stands, and whatever type the place wants: a ConfigError without it, or none."""
    schema = load_schema("tap-config")
    refusals = []
    for path in sorted(set(places(WHOLE)) - NAMED, key=repr):
        try:
            parsed = parse_config(replaced(path, wrong), schema)
        except ConfigError as error:
            refusals.append(str(error))
        else:
            known = {"password", "client_secret", "password_command"}
            assert SECRET not in repr(parsed) or not known & set(path), path
    assert len(refusals) > 10
    assert [each for each in refusals if SECRET in each] == []


@pytest.mark.parametrize(
    "text",
    [
        f"password: !!int {SECRET}",
        f"password: !!float {SECRET}",
        f"password: !!bool {SECRET}",
        f"password: !!timestamp {SECRET}",
        f"password: !!binary {SECRET}",
        f"password: !!python/object/apply:os.system [{SECRET}]",
        f"password: *{SECRET}",
        f"password: [{SECRET}",
        f"? [{SECRET}]\n: 1",
        f"<<: {SECRET}",
        f"password: '{SECRET}",
        f"password: {SECRET}\x00",
        "a: " + "[" * 5000,
    ],
)
def test_yaml(tmp_path: Path, text: str) -> None:
    """A file that is no YAML of ours is refused by its line alone."""
    path = tmp_path / "config.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert SECRET not in str(caught.value)


ENVIRONMENT = json.dumps([{"name": "ann", "auth": [{"method": "password", "password": SECRET}]}])


@pytest.mark.parametrize("program", ["tap_mailbox", "tap_mailbox.cli"])
@pytest.mark.parametrize("value", [ENVIRONMENT, ENVIRONMENT[:-3], SECRET, f'"{SECRET}"'])
def test_environment(tmp_path: Path, program: str, value: str) -> None:
    """Accounts that come by variable, and are broken, leave no trace of what they hold."""
    more = ["check"] if program == "tap_mailbox.cli" else []
    done = subprocess.run(
        [sys.executable, "-m", program, *more, "--config=ENV"],
        env={**os.environ, "TAP_MAILBOX_ACCOUNTS": value, "TAP_MAILBOX_LOGLEVEL": "DEBUG"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--about"], ["--about", "--format=json"], ["--discover"]])
def test_descriptions(tmp_path: Path, arguments: list[str]) -> None:
    """What the tap says of itself has no value of a configuration that it was given."""
    config = copy.deepcopy(WHOLE)
    config["accounts"][0]["auth"][0]["password"] = SECRET
    config["accounts"][1]["auth"][0]["client_secret"] = SECRET
    (tmp_path / "tap.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "tap_mailbox", "--config", str(tmp_path / "tap.json"), *arguments],
        env={**os.environ, "TAP_MAILBOX_PASSWORD": SECRET, "LOGLEVEL": "DEBUG"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
