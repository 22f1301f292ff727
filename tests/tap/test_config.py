"""The configuration: what is accepted becomes frozen values, what is not is named without quoting a value."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from tap_mailbox.config import parse_config
from tap_mailbox.errors import ConfigError
from tap_mailbox.mime import Limits
from tap_mailbox.schema import load_schema
from tests.tap.runs import run_tap

SCHEMA = load_schema("tap-config")
PASSWORD = {"method": "password", "username": "me", "password": "fake-secret"}
OAUTH = {
    "method": "xoauth2",
    "client_id": "id",
    "client_secret": "fake-secret",
    "token_url": "https://login.example.org/token",
}
WORK = {"name": "work", "protocol": "imap", "host": "imap.example.org", "auth": [PASSWORD]}


def parse(*accounts: dict, **more):
    """Return the parsed configuration of these accounts."""
    return parse_config({"accounts": list(accounts), **more}, SCHEMA)


def test_defaults():
    """An account needs a host and a way to sign in; the rest has defaults."""
    (account,) = parse(WORK).accounts
    assert (993, "implicit", 1) == (account.imap.port, account.imap.tls, account.imap.connections)
    assert (None, ("\\Junk", "\\Trash", "\\Drafts")) == (account.include, account.exclude)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"provider": "gmail", "host": None}, ("imap.gmail.com", 993, "implicit")),
        ({"provider": "gmail", "port": 1993}, ("imap.example.org", 1993, "implicit")),
        ({"provider": "protonmail-bridge", "host": None}, ("127.0.0.1", 1143, "starttls")),
        ({"tls": "starttls"}, ("imap.example.org", 143, "starttls")),
        ({"tls": "none", "host": "localhost"}, ("localhost", 143, "none")),
        ({"tls": "none", "host": "::1"}, ("::1", 143, "none")),
        ({"tls": "none", "allow_plaintext": True}, ("imap.example.org", 143, "none")),
    ],
)
def test_server(keys, expected):
    """Explicit keys win over the provider's preset, which wins over the defaults."""
    server = parse({**WORK, **keys}).accounts[0].imap
    assert expected == (server.host, server.port, server.tls)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, ["accounts", "missing"]),
        ({"accounts": {}}, ["accounts", "array", "object"]),
        ({"accounts": [WORK], "mailers": []}, ["mailers", "no known key"]),
        ({"accounts": [{**WORK, "hosting": "x"}]}, ["'work'", "hosting", "no known key"]),
        ({"accounts": [{**WORK, "auth": [{**PASSWORD, "passphrase": "x"}]}]}, ["'work'", "auth[0].passphrase"]),
        ({"accounts": [{**WORK, "auth": [{**PASSWORD, "password": 12345}]}]}, ["'work'", "auth[0].password", "integer"]),
        ({"accounts": [{**WORK, "auth": "fake-secret"}]}, ["'work'", "auth", "array", "string"]),
        ({"accounts": [{**WORK, "port": "fake-secret"}]}, ["'work'", "port", "integer"]),
        ({"accounts": [{**WORK, "port": 0}]}, ["'work'", "port must be at least 1"]),
        ({"accounts": [{**WORK, "port": 65536}]}, ["'work'", "port must be at most 65535"]),
        ({"accounts": [{**WORK, "read_timeout": 0}]}, ["'work'", "read_timeout must be more than 0"]),
        ({"accounts": [{**WORK, "mailboxes": "fake-secret"}]}, ["'work'", "mailboxes must be of type array or \"*\" or of type null, found string"]),
        ({"accounts": [{**WORK, "mailboxes": ["a@example.org", 1]}]}, ["'work'", "mailboxes[1] must be of type string"]),
        ({"accounts": [{**WORK, "auth": [{**PASSWORD, "password_command": []}]}]}, ["'work'", "password_command must list at least 1"]),
        ({"accounts": [WORK], "max_wait": -1}, ["max_wait must be at least 0"]),
        ({"accounts": [{**WORK, "tls": "off"}]}, ["'work'", "tls", "starttls"]),
        ({"accounts": [{**WORK, "protocol": "pop3"}]}, ["'work'", "protocol", "imap"]),
        ({"accounts": [{**WORK, "host": None}]}, ["'work'", "host"]),
        ({"accounts": [{**WORK, "auth": []}]}, ["'work'", "auth"]),
        ({"accounts": [{**WORK, "auth": [{"method": "password"}]}]}, ["'work'", "password_command"]),
        ({"accounts": [{**WORK, "auth": [{"method": "password", "password": ""}]}]}, ["'work'", "unset"]),
        ({"accounts": [{**WORK, "auth": [{**PASSWORD, "credential_file": "x"}]}]}, ["'work'", "exactly one"]),
        ({"accounts": [{**WORK, "auth": [{**PASSWORD, "username": ""}]}]}, ["'work'", "user name", "email"]),
        ({"accounts": [{**WORK, "auth": [OAUTH]}]}, ["'work'", "user name", "email"]),
        ({"accounts": [{**WORK, "tls": "none"}]}, ["'work'", "plain", "imap.example.org"]),
        ({"accounts": [WORK, WORK]}, ["'work'", "2 times"]),
        ({"accounts": [{**WORK, "name": "Work"}]}, ["name", "match"]),
        ({"accounts": [{**WORK, "name": "../up"}]}, ["name", "match"]),
        ({"accounts": [{**WORK, "name": "dot."}]}, ["dot"]),
        ({"accounts": [{**WORK, "name": "x" * 129}]}, ["name", "match"]),
        ({"accounts": [{"name": "mac", "protocol": "files"}]}, ["'mac'", "path"]),
        ({"accounts": [WORK], "only": ["elsewhere"]}, ["only", "elsewhere", "work"]),
        ({"accounts": [WORK], "start_date": "last year"}, ["start_date", "RFC 3339"]),
        ({"accounts": [WORK], "workers": "many"}, ["workers", "auto"]),
        ({"accounts": [WORK], "workers": 17}, ["workers must be at most 16"]),
        ({"accounts": [WORK], "workers": "17"}, ["workers"]),
        ({"accounts": [WORK], "workers": 1.5}, ["workers", "integer or string"]),
    ],
)  # fmt: skip
def test_refused(config, words):
    """Account and key are named, the value never: it may be a secret in the wrong place."""
    with pytest.raises(ConfigError) as caught:
        parse_config(config, SCHEMA)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "fake-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://login.example.org/", "https://fake-secret@login.example.org", "login.example.org", "https://["],
)
@pytest.mark.parametrize("key", ["token_uri", "auth_url", "token_url", "revoke_url"])
def test_secrets_go_by_https(key, url):
    """Where secrets and tokens are sent is checked before anything is read; the URL may hold one itself."""
    keys = (
        {"email": "me@example.org", "token_uri": url} if key == "token_uri" else {"email": "me@example.org"}
    )
    method = OAUTH if key == "token_uri" else {**OAUTH, key: url}
    with pytest.raises(ConfigError, match=f"account 'work': {key} must be an https URL") as caught:
        parse({**WORK, **keys, "auth": [method]})
    assert "fake-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://login.example.org/t/", "http://127.0.0.1:8080/t", "http://localhost/t"]
)
def test_urls_stay_as_they_are(url):
    """An endpoint is asked as it was written, on this machine also without TLS."""
    method = {**OAUTH, "token_url": url, "auth_url": url, "revoke_url": url}
    (account,) = parse({**WORK, "email": "me@example.org", "auth": [method]}).accounts
    (found,) = account.auth
    assert {url} == {found.token_url, found.auth_url, found.revoke_url}


def test_user_name_of_a_credential_file():
    """Its `email` is the user name where the account has none; what is in the file is seen when it is read."""
    method = {"method": "password", "credential_file": "c.json"}
    assert "password" == parse({**WORK, "auth": [method]}).accounts[0].auth[0].method


def test_every_fault_is_named_at_once():
    """Who mends a configuration wants the whole list."""
    with pytest.raises(ConfigError) as caught:
        parse({**WORK, "hosting": 1, "port": "x"}, foo=1)
    assert all(word in str(caught.value) for word in ("hosting", "port", "foo"))


def test_provider_caps_connections():
    """More connections than a provider takes would lock the account out."""
    gmail = {**WORK, "host": None, "provider": "gmail"}
    assert 15 == parse({**gmail, "connections": 16}).accounts[0].imap.connections
    assert 4 == parse({**gmail, "connections": 4}).accounts[0].imap.connections


def test_only_selects():
    """`only` names the accounts to read."""
    config = parse(WORK, {**WORK, "name": "other"}, only=["other"])
    assert ["other"] == [account.name for account in config.accounts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-05T10:30:45Z", dt.datetime(2026, 6, 5, 10, 30, 45, tzinfo=dt.UTC)),
        ("2026-06-05T12:30:45+02:00", dt.datetime(2026, 6, 5, 10, 30, 45, tzinfo=dt.UTC)),
        ("2026-06-05", dt.datetime(2026, 6, 5, tzinfo=dt.UTC)),
        (None, None),
    ],
)
def test_start_date(text, expected):
    """An RFC 3339 time, or a date alone, which means its midnight in UTC."""
    assert expected == parse(WORK, start_date=text).start_date


def test_relative_files_start_at_credentials_dir():
    """Every *_file is relative to credentials_dir; absolute ones stay."""
    auth = [{"method": "password", "credential_file": "c.json"}]
    (account,) = parse({**WORK, "auth": auth, "ca_file": "/etc/ca.pem"}, credentials_dir="/srv/keys").accounts
    assert Path("/srv/keys/c.json") == account.auth[0].credential_file
    assert Path("/etc/ca.pem") == account.imap.ca_file


def test_limits_are_those_of_the_reader():
    """Every limit of the MIME reader can be set, and the schema states its default."""
    properties = SCHEMA["properties"]["limits"]["properties"]
    assert {field.name for field in dataclasses.fields(Limits)} == properties.keys()
    for field in dataclasses.fields(Limits):
        assert properties[field.name]["description"].endswith(f"Default {field.default:,}.")
    assert {"depth": 3} == parse(WORK, limits={"depth": 3}).limits


def test_secrets_have_no_representation():
    """A value that ends up in a traceback or a log shows no password."""
    assert "fake-secret" not in repr(parse(WORK))


@pytest.mark.parametrize(
    ("keys", "workers"),
    [
        ({}, None),
        ({"workers": "auto"}, None),
        ({"workers": 0}, 0),
        ({"workers": 16}, 16),
        ({"workers": "3"}, 3),
    ],
)
def test_workers(keys, workers):
    """A number, also one that came as text from the environment, or as many as find a core."""
    assert workers == parse_config({"accounts": [WORK], **keys}, load_schema("tap-config")).workers


def test_no_account(caplog):
    """An empty list is a configuration like another, but a run that reads nothing says why."""
    assert 0 == run_tap([]).code
    assert ["no account is configured"] == [text[:24] for text in caplog.messages if "no account" in text]
