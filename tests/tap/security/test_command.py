"""`mailbox` while others are at work, and with a provider that would write on the terminal."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox.auth import BearerCredential, credential_for, token_file
from tests.servers.oauth import Entra, OAuthServer
from tests.tap.cli.commands import mailbox, parsed, write_config


def test_logout_during_a_renewal(tmp_path: Path, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refresh token that a run is just being given is the one that is revoked, not the one before."""
    oauth.rotate = True
    client = oauth.new_client()
    refresh_token = oauth.new_refresh_token(client, scopes=["mail"])
    (tmp_path / "token.json").write_text(json.dumps({"refresh_token": refresh_token}))
    method = {"method": "xoauth2", "client_id": client.client_id, "client_secret": client.secret}
    urls = {"token_url": oauth.token_url, "revoke_url": oauth.revocation_url, "scope": "mail"}
    account: dict[str, Any] = {
        "name": "ann", "protocol": "imap", "email": "ann@example.org", "host": "127.0.0.1",
        "ca_file": str(oauth.ca_file),
        "auth": [{**method, **urls, "token_file": str(tmp_path / "token.json")}],
    }  # fmt: skip
    config = write_config(tmp_path / "c.json", account)
    found = parsed(account)
    renewing = credential_for(found, found.auth[0])
    assert isinstance(renewing, BearerCredential)
    waits = threading.Event()
    sleep = time.sleep
    monkeypatch.setattr(token_file.time, "sleep", lambda seconds: (waits.set(), sleep(seconds)))
    run = threading.Thread(target=renewing.token)
    logout = threading.Thread(target=lambda: mailbox("logout", "ann", "--config", config))
    with oauth.hold_answers() as hold:
        run.start()
        hold.wait()
        logout.start()
        # It waits for the lock, whatever it has done before.
        assert waits.wait(20)
        hold.release()
    run.join(20)
    logout.join(20)
    assert not (tmp_path / "token.json").exists()
    given = vars(renewing)["_tokens"].refresh_token
    form = {"grant_type": "refresh_token", "refresh_token": given, "client_id": client.client_id}
    with oauth.session() as session:
        answer = session.post(oauth.token_url, data={**form, "client_secret": str(client.secret)}, timeout=10)
        answer.close()
    assert answer.status_code == 400


def test_code_that_moves_the_cursor(tmp_path: Path, entra: Entra) -> None:
    """Address and code come from the service; a terminal gets letters alone."""
    app = entra.new_app(tenant="consumers", secret=None, public=True)
    odd = "\x1b[2J\x1b]0;gone\x07"
    answer = {
        "user_code": f"ABC{odd}",
        "device_code": "fake-device",
        "verification_uri": f"https://example.org/{odd}",
        "expires_in": 1,
        "interval": 1,
    }
    entra.fail_next(path="devicecode$", body=json.dumps(answer).encode())
    method = {"method": "msal", "client_id": app.client_id, "tenant_id": "consumers"}
    account: dict[str, Any] = {
        "name": "ann", "protocol": "graph", "authority": entra.authority, "ca_file": str(entra.ca_file),
        "auth": [{**method, "token_file": str(tmp_path / "token.json")}],
    }  # fmt: skip
    config = write_config(tmp_path / "c.json", account)
    result = mailbox("login", "ann", "--config", config, "--timeout", "1")
    assert result.exit_code == 3
    assert "ABC" in result.stdout
    assert "\x1b" not in result.output
    assert "\x07" not in result.output
