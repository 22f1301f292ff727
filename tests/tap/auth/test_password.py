"""Passwords from every place they may stand; what is wrong is said without showing one."""

from __future__ import annotations

import json
import sys

import pytest

from tap_mailbox.auth import credential_for
from tap_mailbox.config import parse_config
from tap_mailbox.errors import CredentialError
from tap_mailbox.schema import load_schema


def credential(tmp_path, method: dict, email: str | None = "me@example.org"):
    """Return the credential that *method* gives for an account of me@example.org."""
    account = {"name": "a", "protocol": "imap", "host": "imap.example.org", "email": email}
    config = {
        "accounts": [{**account, "auth": [{"method": "password", **method}]}],
        "credentials_dir": str(tmp_path),
    }
    (parsed,) = parse_config(config, load_schema("tap-config")).accounts
    return credential_for(parsed, parsed.auth[0])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("abcd efgh ijkl mnop", "abcdefghijklmnop"),
        ("abcdefgh ijklmnop", "abcdefghijklmnop"),
        ("fake -sec ret", "fake-secret"),
        ("fake-secret", "fake-secret"),
    ],
)
def test_credential_file(tmp_path, written, expected):
    """The legacy file is read as it is; the spaces of an app password are no part of it."""
    (tmp_path / "c.json").write_text(json.dumps({"email": "you@example.org", "password": written}))
    found = credential(tmp_path, {"credential_file": "c.json"})
    assert ("you@example.org", expected) == (found.username, found.password)


def test_user_name_of_the_method_wins(tmp_path):
    """Its own username, else the file's email, else the account's."""
    assert "me" == credential(tmp_path, {"password": "fake-secret", "username": "me"}).username
    assert "me@example.org" == credential(tmp_path, {"password": "fake-secret"}).username


def test_password_command(tmp_path):
    """The first line that a command prints is the password."""
    command = [sys.executable, "-c", "print('fake-secret'); print('login: me')"]
    assert "fake-secret" == credential(tmp_path, {"password_command": command}).password


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("fake-secret", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no JSON object"),
        ('{"password": ["fake-secret"]}', 'no "password"'),
        ('{"password": "fake\\nsecret"}', "line break"),
    ],
)
def test_broken_credential_file(tmp_path, content, words):
    """File and fault are named, what stands in it is not."""
    if content is not None:
        (tmp_path / "c.json").write_text(content)
    with pytest.raises(CredentialError) as caught:
        credential(tmp_path, {"credential_file": "c.json"})
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print()", "pass"])
def test_broken_password_command(tmp_path, code):
    """A command that fails or says nothing is an error that names it."""
    with pytest.raises(CredentialError, match="gave no password"):
        credential(tmp_path, {"password_command": [sys.executable, "-c", code]})


def test_missing_password_command(tmp_path):
    """So is one that does not exist."""
    with pytest.raises(CredentialError, match="no-such-program"):
        credential(tmp_path, {"password_command": ["no-such-program"]})


def test_no_user_name(tmp_path):
    """Somebody must be named, in the credential file if not in the configuration."""
    (tmp_path / "c.json").write_text('{"password": "fake-secret"}')
    with pytest.raises(CredentialError, match="user name"):
        credential(tmp_path, {"credential_file": "c.json"}, email=None)
