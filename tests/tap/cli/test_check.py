"""`mailbox check`: every step of every account, what fails, and no secret."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.servers.dovecot import Dovecot, User
from tests.tap.cli.commands import mailbox, start, write_config

MAIL = b"Subject: hi\r\n\r\nbody\r\n"


@pytest.fixture(scope="module")
def user(dovecot: Dovecot) -> User:
    user = dovecot.new_user()
    dovecot.fill(user, "INBOX", [MAIL] * 3)
    dovecot.fill(user, "Projekte/日本 & [Co]", [MAIL] * 2)
    dovecot.fill(user, "Junk", [MAIL])
    return user


def account(dovecot: Dovecot, user: User, name: str = "work", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "protocol": "imap",
        "email": user.email,
        "host": "127.0.0.1",
        "port": dovecot.tls_port,
        "ca_file": str(dovecot.ca_file),
        "auth": [{"method": "password", "username": user.name, "password": user.password}],
        **more,
    }


def check(tmp_path: Path, *accounts: dict[str, Any], exit_code: int) -> list[dict[str, Any]]:
    """Return what `--json` says of the accounts."""
    config = write_config(tmp_path / "config.json", *accounts)
    result = mailbox("check", "--config", config, "--json")
    assert exit_code == result.exit_code, result.output
    assert "fake-secret" not in result.output
    answer = json.loads(result.stdout)
    assert answer["ok"] is (exit_code == 0)
    return answer["accounts"]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_in_order(dovecot: Dovecot, user: User, tmp_path: Path, tls: str) -> None:
    """TLS both ways, folders that are read and messages in them."""
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    (found,) = check(tmp_path, account(dovecot, user, tls=tls, port=port), exit_code=0)
    assert {"TLSv1.3", "TLSv1.2"} & {found["tls"]["version"]}
    assert found["tls"]["days_left"] > 30
    assert ["127.0.0.1"] == found["addresses"]
    assert ("password", [], None) == (found["sign_in"], found["fallbacks"], found["failed"])
    assert (2, 5) == (found["selected"], found["messages"])
    assert found["folders"] > 2


def test_for_people(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """One block an account, in plain text when piped."""
    config = write_config(tmp_path / "config.json", account(dovecot, user))
    result = mailbox("check", "--config", config)
    assert 0 == result.exit_code
    for words in (
        f"work (imap, 127.0.0.1:{dovecot.tls_port})", "dns        1 address", "certificate verified",
        "sign-in    password", "2 of ", "5 messages", "1 account in order",
    ):  # fmt: skip
        assert words in result.stdout
    assert "\x1b" not in result.stdout


def test_tls_off_is_said(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """An account without TLS (this machine only) works, and the check says so."""
    config = write_config(tmp_path / "config.json", account(dovecot, user, tls="none", port=dovecot.port))
    result = mailbox("check", "--config", config)
    assert (0, True) == (result.exit_code, "tls        off" in result.stdout)


def test_the_mailbox_stays_as_it_was(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """Looking changes nothing: not even \\Recent goes away."""
    someone = dovecot.new_user()
    dovecot.append(someone, "INBOX", MAIL)
    before = dovecot.flags(someone, "INBOX")
    check(tmp_path, account(dovecot, someone), exit_code=0)
    assert before == dovecot.flags(someone, "INBOX")


@pytest.mark.parametrize(
    ("change", "step", "words"),
    [
        ({"host": "nowhere.invalid"}, "dns", "`host`"),
        ({"port": None}, "connection", "is the server up"),
        ({"tls": "starttls"}, "tls", "implicit"),
        ({"ca_file": None}, "tls", "`ca_file`"),
        ({"ca_file": __file__}, "tls", "holds no certificate"),
        (
            {"auth": [{"method": "password", "username": "x", "password": "fake-secret"}]},
            "sign-in",
            "refused",
        ),
        ({"auth": [{"method": "password", "credential_file": "/nowhere"}]}, "sign-in", "/nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_fails(
    dovecot: Dovecot, user: User, tmp_path: Path, free_port: int, change: dict, step: str, words: str
) -> None:
    """The failing step is named with the next one to take, and the other account is looked at all the same."""
    if "port" in change:
        change = {"port": free_port}
    if change.get("tls") == "starttls":
        change = {**change, "read_timeout": 2, "connect_timeout": 2}
    accounts = account(dovecot, user, "broken", **change), account(dovecot, user)
    broken, work = check(tmp_path, *accounts, exit_code=3)
    assert (False, step, True) == (broken["ok"], broken["failed"], words in broken["error"])
    assert work["ok"]


def test_plain_port_with_implicit_tls(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """TLS on a port that speaks plain text at first."""
    (found,) = check(tmp_path, account(dovecot, user, port=dovecot.port), exit_code=3)
    assert ("tls", True) == (found["failed"], "starttls" in found["error"])


def test_certificate_of_yesterday(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """An expired certificate is named as such."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    authority.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                try:
                    context.wrap_socket(line, server_side=True).close()
                except (ssl.SSLError, OSError):
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        change = {"port": port, "ca_file": str(tmp_path / "ca.pem")}
        (found,) = check(tmp_path, account(dovecot, user, **change), exit_code=3)
        thread.join()
    assert ("tls", True) == (found["failed"], "expired" in found["error"])


def test_fall_back(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """A method that did not do is told with its reason, and the account is in order."""
    methods = [{"method": "password", "credential_file": "/nowhere"}, *account(dovecot, user)["auth"]]
    (found,) = check(tmp_path, account(dovecot, user, auth=methods), exit_code=0)
    assert 1 == len(found["fallbacks"])
    assert "/nowhere" in found["fallbacks"][0]


def test_token_age(tmp_path: Path, free_port: int) -> None:
    """How old the token is and when it ends, also where the server is away; never the token."""
    renewed = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    tokens = {"access_token": "fake-secret", "refresh_token": "fake-secret", "updated": renewed.isoformat()}
    tokens["expires_at"] = (renewed + timedelta(hours=3)).isoformat()
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    method = {"method": "xoauth2", "client_id": "c", "token_url": "https://127.0.0.1:1/"}
    entry = {
        "name": "a",
        "protocol": "imap",
        "email": "a@example.org",
        "host": "127.0.0.1",
        "port": free_port,
    }
    entry["auth"] = [{**method, "token_file": str(tmp_path / "tokens.json")}]
    config = write_config(tmp_path / "c.json", entry)
    result = mailbox("check", "--config", config)
    assert (3, True) == (result.exit_code, "renewed 2 hours ago, expires in 59 minutes" in result.stdout)
    assert "fake-secret" not in result.output
    (found,) = check(tmp_path, entry, exit_code=3)
    expected = {"method": "xoauth2", "renewed": tokens["updated"], "expires": tokens["expires_at"]}
    assert [expected] == found["tokens"]


def test_no_token_yet(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """Who has not signed in yet is told how, and the next account is looked at."""
    method = {
        "method": "xoauth2",
        "client_id": "c",
        "token_url": "https://127.0.0.1:1/",
        "token_file": "no.json",
    }
    accounts = account(dovecot, user, "new", auth=[method]), account(dovecot, user)
    new, work = check(tmp_path, *accounts, exit_code=3)
    assert ("sign-in", [], True) == (new["failed"], new["tokens"], work["ok"])
    assert "mailbox login" in new["error"]


def test_files(tmp_path: Path) -> None:
    """An account of files: directories and mbox files, as the state has entries for them."""
    mail = tmp_path / "mail"
    (mail / "2019" / "inbox" / "cur").mkdir(parents=True)
    (mail / "2019" / "inbox" / "new").mkdir()
    (mail / "2019" / "inbox" / "cur" / "1:2,S").write_bytes(MAIL)
    (mail / "a.eml").write_bytes(MAIL)
    (mail / "b.eml").write_bytes(MAIL)
    (mail / "old.mbox").write_bytes(b"From a@example.org Fri Jun  5 10:30:45 2026\n" + MAIL)
    (mail / "notes.txt").write_text("no mail")
    entry = {"name": "old", "protocol": "files", "path": str(mail)}
    (found,) = check(tmp_path, entry, exit_code=0)
    assert (3, 3, 3) == (found["selected"], found["folders"], found["messages"])
    result = mailbox("folders", "old", "--config", write_config(tmp_path / "c.json", entry), "--json")
    folders = {folder["key"]: folder["messages"] for folder in json.loads(result.stdout)["folders"]}
    assert {".": 2, "2019/inbox": 1, "old.mbox": None} == folders


def test_missing_files(tmp_path: Path) -> None:
    """A disk that is not mounted."""
    entry = {"name": "old", "protocol": "files", "path": str(tmp_path / "nowhere")}
    (found,) = check(tmp_path, entry, exit_code=3)
    assert ("path", True) == (found["failed"], "Mount the disk" in found["error"])


def test_named_accounts_and_only(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """Without names those of `only`; with names those, whatever `only` says."""
    entries = account(dovecot, user, "one"), account(dovecot, user, "two")
    config = write_config(tmp_path / "c.json", *entries, only=["one"])
    assert "two (imap" not in mailbox("check", "--config", config).stdout
    result = mailbox("check", "two", "--config", config)
    assert (True, False) == ("two (imap" in result.stdout, "one (imap" in result.stdout)
    result = mailbox("check", "three", "--config", config)
    assert (1, "Error: no account is named three; there are one, two\n") == (result.exit_code, result.stderr)


def test_as_a_process(dovecot: Dovecot, user: User, tmp_path: Path) -> None:
    """Exit code, streams, and nothing of a library on stderr."""
    config = write_config(tmp_path / "c.json", account(dovecot, user), account(dovecot, user, "x", port=1))
    with start("-v", "check", "--config", config) as process:
        out, err = process.communicate(timeout=60)
    assert (3, "") == (process.returncode, err)
    assert "1 of 2 accounts failed: x" in out
    assert user.password not in out
