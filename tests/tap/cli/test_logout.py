"""`mailbox logout`: the token is worthless at the provider before its file is gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers.oauth import OAuthServer
from tests.tap.cli.commands import mailbox, write_config


@pytest.fixture
def signed_in(oauth: OAuthServer, tmp_path: Path) -> tuple[dict[str, Any], str]:
    """An account of Google's kind that is signed in, and its refresh token."""
    client = oauth.new_client()
    token = oauth.new_refresh_token(client)
    oauth.write_token_file(tmp_path / "tokens.json", token)
    method = {
        "method": "xoauth2",
        "client_file": str(oauth.write_client_file(tmp_path / "client.json", client)),
    }
    return (
        {
            "name": "gmail",
            "protocol": "imap",
            "email": "ann@example.org",
            "host": "127.0.0.1",
            "ca_file": str(oauth.ca_file),
            "auth": [
                {**method, "token_file": str(tmp_path / "tokens.json"), "revoke_url": oauth.revocation_url}
            ],
        },
        token,
    )


def renews(oauth: OAuthServer, account: dict[str, Any], token: str) -> bool:
    """Whether the provider still takes a refresh token."""
    client = json.loads(Path(account["auth"][0]["client_file"]).read_text())["installed"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    form |= {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    with oauth.session() as session, session.post(oauth.token_url, data=form, timeout=10) as answer:
        return answer.ok


def test_revoked_and_deleted(oauth: OAuthServer, signed_in: tuple, tmp_path: Path) -> None:
    """Revoked, deleted, said; a second time there is nothing to do. The token is not shown."""
    account, token = signed_in
    config = write_config(tmp_path / "c.json", account)
    assert renews(oauth, account, token)
    result = mailbox("logout", "gmail", "--config", config)
    assert (0, "") == (result.exit_code, result.stderr)
    assert "has revoked the sign-in" in result.stdout
    assert not renews(oauth, account, token)
    assert not Path(account["auth"][0]["token_file"]).exists()
    assert token not in result.output
    again = mailbox("logout", "gmail", "--config", config)
    assert (0, True) == (again.exit_code, "not signed in" in again.stdout)


def test_revoked_before(oauth: OAuthServer, signed_in: tuple, tmp_path: Path) -> None:
    """A token the provider does not know any more is no failure."""
    oauth.revoke("ann@example.org")
    oauth.fail_next("invalid_token", path="/revoke$")
    result = mailbox("logout", "gmail", "--config", write_config(tmp_path / "c.json", signed_in[0]))
    assert (0, True) == (result.exit_code, "did not know" in result.stdout)


@pytest.mark.parametrize(
    ("status", "words"), [(503, "still good, try again"), (429, "still good"), (403, "refused to revoke")]
)
def test_not_revoked(oauth: OAuthServer, signed_in: tuple, tmp_path: Path, status: int, words: str) -> None:
    """What is still good keeps its file, so that one can try again; exit 3."""
    account, token = signed_in
    oauth.fail_next(status=status, path="/revoke$")
    result = mailbox("logout", "gmail", "--config", write_config(tmp_path / "c.json", account))
    assert (3, True) == (result.exit_code, words in result.stderr)
    assert renews(oauth, account, token)
    assert token in Path(account["auth"][0]["token_file"]).read_text()


def test_unreachable(oauth: OAuthServer, signed_in: tuple, tmp_path: Path, free_port: int) -> None:
    """The same when nobody is there; and never in clear to another machine."""
    account, token = signed_in
    account["auth"][0]["revoke_url"] = f"https://127.0.0.1:{free_port}/revoke"
    result = mailbox("logout", "gmail", "--config", write_config(tmp_path / "c.json", account))
    assert (3, True) == (result.exit_code, "cannot be reached" in result.stderr)
    account["auth"][0]["revoke_url"] = "http://mail.example.org/revoke"
    result = mailbox("logout", "gmail", "--config", write_config(tmp_path / "c.json", account))
    assert (1, True) == (result.exit_code, "revoke_url must be an https URL" in result.stderr)
    assert token in Path(account["auth"][0]["token_file"]).read_text()


def test_generic_client_says_who_it_is(oauth: OAuthServer, tmp_path: Path) -> None:
    """RFC 7009: a client with a secret presents it."""
    client = oauth.new_client()
    path = oauth.write_token_file(tmp_path / "tokens.json", oauth.new_refresh_token(client))
    method = {"method": "xoauth2", "client_id": client.client_id, "client_secret": client.secret}
    method |= {"token_url": oauth.token_url, "revoke_url": oauth.revocation_url, "token_file": str(path)}
    account = {"name": "work", "protocol": "imap", "host": "127.0.0.1", "email": "me@example.org"}
    account |= {"ca_file": str(oauth.ca_file)}
    result = mailbox(
        "logout", "work", "--config", write_config(tmp_path / "c.json", {**account, "auth": [method]})
    )
    assert 0 == result.exit_code, result.output
    assert ("/revoke", "secret", 200) == (
        oauth.requests[-1].path, oauth.requests[-1].credential, oauth.requests[-1].status,
    )  # fmt: skip


def test_no_refresh_token(oauth: OAuthServer, signed_in: tuple, tmp_path: Path) -> None:
    """A file that holds nothing to revoke goes, and nobody is asked or blamed."""
    Path(signed_in[0]["auth"][0]["token_file"]).write_text('{"access_token": "fake-access"}')
    oauth.requests.clear()
    result = mailbox("logout", "gmail", "--config", write_config(tmp_path / "c.json", signed_in[0]))
    assert (0, []) == (result.exit_code, oauth.requests)
    assert "holds no refresh token" in result.stdout
    assert "is deleted" in result.stdout


def test_microsoft(tmp_path: Path) -> None:
    """Microsoft revokes nothing: the file goes, and the page is named where the consent can be withdrawn."""
    (tmp_path / "tokens.json").write_text("broken")
    method = {"method": "msal", "client_id": "c", "token_file": str(tmp_path / "tokens.json")}
    account = {"name": "o", "protocol": "graph", "email": "a@outlook.example", "auth": [method]}
    result = mailbox("logout", "o", "--config", write_config(tmp_path / "c.json", account))
    assert 0 == result.exit_code
    assert "https://account.live.com/consent/Manage" in result.stdout
    assert not (tmp_path / "tokens.json").exists()


def test_password_account(tmp_path: Path) -> None:
    """A password account keeps no token."""
    auth = [{"method": "password", "password": "fake-secret"}]
    account = {"name": "a", "protocol": "imap", "email": "a@example.org", "host": "127.0.0.1", "auth": auth}
    result = mailbox("logout", "a", "--config", write_config(tmp_path / "c.json", account))
    assert (0, True) == (result.exit_code, "nothing to do" in result.stdout)
