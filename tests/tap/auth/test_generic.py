"""Tokens of any provider, by RFC 6749 alone, and what token endpoints do that is no answer."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tap_mailbox.errors import ConfigError, CredentialError, Unavailable
from tests.servers.oauth import OAuthServer
from tests.servers.ports import HOST, free_ports
from tests.tap.auth.accounts import credential, legacy

SCOPE = "imap"


def person(tmp_path, server: OAuthServer, *, secret: str | None = "fake-secret", **more):
    """Return a credential with a refresh token of the server's."""
    client = server.new_client(secret=secret)
    legacy(tmp_path / "token.json", server.new_refresh_token(client, scopes=[SCOPE]))
    method = {
        "method": "xoauth2",
        "client_id": client.client_id,
        "client_secret": secret,
        "token_url": server.token_url,
        "token_file": "token.json",
        "scope": SCOPE,
        **more,
    }
    return credential(tmp_path, method, ca_file=str(server.ca_file))


@pytest.mark.parametrize("rotate", [True, False])
@pytest.mark.parametrize("secret", ["fake-secret", None])
def test_refresh(tmp_path, oauth, secret, rotate):
    """Section 6, for public and confidential clients, with and without a new refresh token each time."""
    oauth.rotate = rotate
    ann = person(tmp_path, oauth, secret=secret)
    token = ann.token()
    assert (SCOPE,) == oauth.check(token).scopes
    assert token != ann.token(rejected=token)
    assert 2 == oauth.refreshes


def test_client_credentials(tmp_path, oauth):
    """Section 4.4, where there is no token file."""
    client = oauth.new_client()
    fields = {
        "client_id": client.client_id,
        "client_secret": client.secret,
        "token_url": oauth.token_url,
    }
    found = credential(tmp_path, {"method": "xoauth2", **fields, "scope": SCOPE}, ca_file=str(oauth.ca_file))
    assert oauth.check(found.token())
    assert not found.delegated


def test_secret_in_the_header(tmp_path, oauth):
    """A provider that takes the secret in the Authorization field alone gets it there (section 2.3.1)."""
    ann = person(tmp_path, oauth)
    oauth.fail_next("invalid_client")
    assert oauth.check(ann.token())
    assert ["secret", "basic"] == [each.credential for each in oauth.requests]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_grant", "mailbox login ann"),
        ("invalid_client", "wrong"),
        ("unauthorized_client", "registration"),
    ],
)
def test_refusals(tmp_path, oauth, error, words):
    """Each says the next step."""
    ann = person(tmp_path, oauth)
    oauth.fail_next(error, times=2)
    with pytest.raises(CredentialError, match=words):
        ann.token()


def test_token_of_another_kind(tmp_path, oauth):
    """A token that is no bearer token is not used (section 7.1)."""
    ann = person(tmp_path, oauth)
    oauth.fail_next(body=b'{"access_token": "fake-token", "token_type": "mac"}')
    with pytest.raises(CredentialError, match="Bearer"):
        ann.token()


FAULTS = {
    "no service": {"status": 503},
    "failure": {"status": 500, "error": "server_error"},
    "other answer": {"body": b"<html>sign in to the WLAN</html>"},
    "half an answer": {"body": b'{"access_token": "fake-to'},
    "long": {"body": b'{"a": "' + b"a" * 2**20 + b'"}'},
    "timeout": {"status": 408, "body": b"{}"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_pass(tmp_path, oauth, fault):
    """None of them says anything about the credential; the next question is answered."""
    ann = person(tmp_path, oauth)
    oauth.fail_next(**FAULTS[fault])
    with pytest.raises(Unavailable):
        ann.token()
    assert ann.token()
    assert 2 == len(oauth.requests)


def test_redirect_is_not_followed(tmp_path, oauth):
    """A secret goes to no other place than the one that was configured."""
    came: list[str] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer((HOST, 0), Redirecting) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://{HOST}:{server.server_address[1]}/token"
        with pytest.raises(Unavailable, match="307"):
            person(tmp_path, oauth, token_url=url).token()
        server.shutdown()
    assert ["/token"] == came


def test_reset(tmp_path, oauth):
    """A connection that breaks, likewise."""
    ann = person(tmp_path, oauth)
    oauth.reset_next()
    with pytest.raises(Unavailable):
        ann.token()
    assert ann.token()


def test_too_many_requests(tmp_path, oauth, monkeypatch):
    """After 429 nobody is asked before the time that Retry-After gives has passed."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    ann = person(tmp_path, oauth)
    oauth.fail_next(status=429, retry_after=30, body=b"{}")
    for later in (0, 29):
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        with pytest.raises(Unavailable, match="30 s"):
            ann.token()
    assert 1 == len(oauth.requests)
    monkeypatch.setattr(time, "monotonic", lambda: now + 31)
    assert ann.token()


def test_endpoint_that_is_not_trusted(tmp_path, oauth):
    """A certificate of an unknown authority is a matter of ca_file; nothing is sent."""
    with OAuthServer() as other:
        with pytest.raises(CredentialError, match="ca_file"):
            person(tmp_path, oauth, token_url=other.token_url).token()
        assert [] == other.requests


def test_endpoint_that_is_not_there(tmp_path, oauth):
    """Nobody listens: it may pass."""
    (port,) = free_ports(1)
    with pytest.raises(Unavailable, match=f"{HOST}:{port}"):
        person(tmp_path, oauth, token_url=f"https://{HOST}:{port}/token").token()


def test_endpoint_without_tls(tmp_path, oauth):
    """A refresh token is not sent in clear to another machine: that is wrong in the configuration itself."""
    with pytest.raises(ConfigError, match="token_url must be an https URL"):
        person(tmp_path, oauth, token_url="http://login.example.org/token").token()


def test_environment_does_not_choose_the_authorities(tmp_path, oauth, monkeypatch):
    """A CA bundle of the environment does not replace ca_file, nor does ~/.netrc become a credential."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text(f"machine {HOST} login fake password fake\n")
    assert person(tmp_path, oauth).token()
    assert ["secret"] == [each.credential for each in oauth.requests]


@pytest.mark.parametrize(
    ("written", "expected"),
    [(1780000000, int), (1780000000.5, float), ("yesterday", str), (None, str), (True, str)],
)
def test_time_of_renewal_keeps_its_type(tmp_path, oauth, written, expected):
    """The legacy system goes on reading `updated` as it wrote it."""
    ann = person(tmp_path, oauth)
    file = legacy(tmp_path / "token.json", json.loads((tmp_path / "token.json").read_text())["refresh_token"])
    file.write_text(json.dumps({**json.loads(file.read_text()), "updated": written}))
    token = ann.token()
    assert expected is type(json.loads(file.read_text())["updated"])
    same = {
        "client_id": ann.client,
        "token_url": oauth.token_url,
        "scope": SCOPE,
        "token_file": "token.json",
    }
    again = credential(tmp_path, {"method": "xoauth2", **same}, ca_file=str(oauth.ca_file))
    assert token == again.token()
    assert again.renewed == ann.renewed.replace(microsecond=again.renewed.microsecond)
