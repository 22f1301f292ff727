"""`OAuthServer` satisfies Google's libraries, and refuses what Google and the RFCs refuse."""

from __future__ import annotations

import json
import threading
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request as Transport
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import InstalledAppFlow

from tests.servers.oauth import Client, OAuthServer
from tests.servers.oauth.assertions import rsa_key, sign

GMAIL = "https://mail.google.com/"
# RFC 7636 appendix B
VERIFIER, CHALLENGE = (
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
)
REDIRECT = "http://127.0.0.1:9/"


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with OAuthServer() as server:
        yield server


@pytest.fixture
def session(server: OAuthServer) -> Iterator[requests.Session]:
    with server.session() as session:
        yield session


def credentials(path: Path, refresh_token: str) -> Credentials:
    """Return what a client makes of a client file; `from_authorized_user_info` would ask Google itself."""
    (members,) = json.loads(path.read_text()).values()
    return Credentials(
        None, refresh_token=refresh_token, token_uri=members["token_uri"], client_id=members["client_id"],
        client_secret=members["client_secret"], scopes=[GMAIL],
    )  # fmt: skip


def authorize(server: OAuthServer, session: requests.Session, client: Client, **changes: str) -> dict:
    """Consent; returns what the redirect carries."""
    query = {
        "response_type": "code", "client_id": client.client_id, "redirect_uri": REDIRECT, "scope": GMAIL,
        "state": "s", "code_challenge": CHALLENGE, "code_challenge_method": "S256", "access_type": "offline",
    }  # fmt: skip
    query = {name: value for name, value in (query | changes).items() if value}
    answer = session.get(f"{server.authorization_url}?{urlencode(query)}", allow_redirects=False, timeout=10)
    if answer.status_code != 302:
        return {"status": str(answer.status_code)}
    address = answer.headers["Location"]
    assert address.startswith(query["redirect_uri"])
    return dict(parse_qsl(urlsplit(address).query))


def token(server: OAuthServer, session: requests.Session, client: Client, **form: str) -> dict[str, Any]:
    """Ask the token endpoint; returns the members of the answer."""
    own = {"client_id": client.client_id, "client_secret": client.secret or ""}
    return session.post(server.token_url, data=own | form, timeout=10).json()


def exchange(server: OAuthServer, session: requests.Session, client: Client, **form: str) -> dict[str, Any]:
    """Exchange a code; returns the members of the answer."""
    form = {
        "grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER,
    } | form  # fmt: skip
    return token(server, session, client, **form)


@pytest.mark.parametrize("kind", ["installed", "web"])
@pytest.mark.parametrize("rotate", [False, True])
def test_google_renews_from_the_files(server: OAuthServer, tmp_path: Path, kind: str, rotate: bool) -> None:
    """Client file and token file are enough; the refresh token stays, or is replaced and dies."""
    server.rotate = rotate
    client = server.new_client()
    old = server.new_refresh_token(client, "bob@example.org")
    saved = json.loads(server.write_token_file(tmp_path / "token.json", old).read_text())
    assert GMAIL == saved["scope"]
    path = server.write_client_file(tmp_path / "client.json", client, kind)
    renewed = credentials(path, saved["refresh_token"])
    with server.session() as session:
        renewed.refresh(Transport(session))
        grant = server.check(renewed.token)
        assert ("bob@example.org", (GMAIL,)) == (grant.mailbox, grant.scopes)
        assert rotate == (renewed.refresh_token != old)
        again = token(server, session, client, grant_type="refresh_token", refresh_token=old)
    assert ("invalid_grant" if rotate else None) == again.get("error")
    assert (1 if rotate else 2) == server.refreshes


def test_google_reports_what_is_final_and_tries_again_what_is_not(
    server: OAuthServer, tmp_path: Path
) -> None:
    """A revoked user is out after one request; a 500 is overcome."""
    client = server.new_client()
    path = server.write_client_file(tmp_path / "client.json", client)
    renewed = credentials(path, server.new_refresh_token(client))
    with server.session() as session:
        server.fail_next(status=500, body=b"<html>")
        renewed.refresh(Transport(session))
        assert [500, 200] == [request.status for request in server.requests]
        server.revoke("ann@example.org")
        assert server.check(renewed.token) is None
        with pytest.raises(RefreshError, match="expired or revoked") as caught:
            renewed.refresh(Transport(session))
    assert not caught.value.retryable
    assert 3 == len(server.requests)


class Browser(webbrowser.BaseBrowser):
    """Goes where it is sent, while the program waits."""

    def __init__(self, session: requests.Session) -> None:
        super().__init__("test")
        self.session = session

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.thread = threading.Thread(target=lambda: self.session.get(url, timeout=10))
        self.thread.start()
        return True


@pytest.mark.parametrize("deny", [False, True])
def test_google_signs_in_through_a_browser(
    server: OAuthServer, session: requests.Session, tmp_path: Path, deny: bool
) -> None:
    """Loopback redirect and PKCE, driven by Google's own flow; a person may say no."""
    server.user, server.deny = "bob@example.org", deny
    path = server.write_client_file(tmp_path / "client.json", server.new_client())
    flow = InstalledAppFlow.from_client_config(json.loads(path.read_text()), [GMAIL])
    flow.oauth2session.trust_env, flow.oauth2session.verify = False, str(server.ca_file)
    browser = Browser(session)
    webbrowser.register("test", None, browser)
    settings = {"host": "127.0.0.1", "port": 0, "browser": "test", "timeout_seconds": 20}
    with flow.oauth2session:
        if deny:
            with pytest.raises(Exception, match="access_denied"):
                flow.run_local_server(**settings, access_type="offline", prompt="consent")
        else:
            signed_in = flow.run_local_server(**settings, access_type="offline", prompt="consent")
            signed_in.refresh(Transport(session))
            assert "bob@example.org" == server.check(signed_in.token).mailbox
    browser.thread.join()


def test_google_gives_a_refresh_token_once(server: OAuthServer, session: requests.Session) -> None:
    """Only offline, and only at the first consent unless asked for another; others give one every time."""
    client = server.new_client()
    given = []
    for changes in (
        {"access_type": "online"}, {}, {"prompt": "consent"}, {"scope": "imap", "access_type": ""},
    ):  # fmt: skip
        answer = exchange(server, session, client, code=authorize(server, session, client, **changes)["code"])
        given.append("refresh_token" in answer)
    assert [False, False, True, True] == given


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"code_challenge": ""}, {"error": "invalid_request", "state": "s"}),
        ({"code_challenge_method": "plain"}, {"error": "invalid_request", "state": "s"}),
        ({"response_type": "token"}, {"error": "unsupported_response_type", "state": "s"}),
        ({"client_id": "nobody"}, {"status": "400"}),
        ({"redirect_uri": "http://example.org/"}, {"status": "400"}),
    ],
)
def test_a_wrong_authorization_request_is_refused(
    server: OAuthServer, session: requests.Session, changes: dict[str, str], answer: dict[str, str]
) -> None:
    """By redirect; an unknown client or address is not redirected to."""
    found = authorize(server, session, server.new_client(), **changes)
    found.pop("error_description", None)
    assert answer == found


def test_a_web_client_has_exact_addresses(server: OAuthServer, session: requests.Session) -> None:
    """Not any port of the loopback address."""
    client = server.new_client(redirect_uris=["http://localhost:8765/"])
    assert "code" in authorize(server, session, client, redirect_uri="http://localhost:8765/")
    assert {"status": "400"} == authorize(server, session, client, redirect_uri="http://localhost:8766/")


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "fake"},
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:8/"},
    ],
)
def test_a_code_is_bound(server: OAuthServer, session: requests.Session, changes: dict[str, str]) -> None:
    """To its verifier and its address; a client without a secret may exchange it."""
    client = server.new_client(secret=None)
    code = authorize(server, session, client)["code"]
    assert "invalid_grant" == exchange(server, session, client, **({"code": code} | changes))["error"]
    assert "access_token" in exchange(server, session, client, code=code)


def test_a_code_used_twice_ends_what_it_gave(server: OAuthServer, session: requests.Session) -> None:
    """RFC 6749 section 4.1.2. Another client's code is no code."""
    client, other = server.new_client(), server.new_client()
    code = authorize(server, session, client)["code"]
    assert "invalid_grant" == exchange(server, session, other, code=code)["error"]
    given = exchange(server, session, client, code=code)
    assert server.check(given["access_token"])
    assert "invalid_grant" == exchange(server, session, client, code=code)["error"]
    assert server.check(given["access_token"]) is None


def test_clients_are_told_apart(server: OAuthServer, session: requests.Session) -> None:
    """Secret, owner of the token and scope are checked; an application may ask in its own name."""
    client = server.new_client()
    mine, others = server.new_refresh_token(client), server.new_refresh_token(server.new_client())
    for form, error in [
        ({"refresh_token": others}, "invalid_grant"),
        ({"refresh_token": mine, "client_secret": "wrong"}, "invalid_client"),
        ({"refresh_token": mine, "client_id": "nobody"}, "invalid_client"),
        ({"refresh_token": mine, "scope": f"{GMAIL} more"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ]:
        assert error == token(server, session, client, **({"grant_type": "refresh_token"} | form))["error"]
    answer = token(server, session, client, grant_type="client_credentials", scope="imap")
    assert (None, ("imap",)) == ((grant := server.check(answer["access_token"])).mailbox, grant.scopes)


def test_a_service_account_acts_for_a_person(
    server: OAuthServer, session: requests.Session, tmp_path: Path
) -> None:
    """By Google's library and key file; not for anybody, not for any scope."""
    account = server.new_service_account(["ann@example.org"])
    members = json.loads(server.write_key_file(tmp_path / "key.json", account).read_text())

    def sign_in(subject: str, scope: str = GMAIL) -> str:
        signed_in = service_account.Credentials.from_service_account_info(
            members, scopes=[scope], subject=subject
        )
        signed_in.refresh(Transport(session))
        return signed_in.token

    assert "ann@example.org" == server.check(sign_in("ann@example.org")).mailbox
    for wrong in (("bob@example.org",), ("ann@example.org", "https://www.googleapis.com/auth/drive")):
        with pytest.raises(RefreshError, match="unauthorized_client"):
            sign_in(*wrong)


def test_an_assertion_is_checked(server: OAuthServer, session: requests.Session) -> None:
    """Signature, audience, time and issuer."""
    account = server.new_service_account()
    now = int(time.time())
    claims = {
        "iss": account.email, "sub": "ann@example.org", "scope": GMAIL, "aud": server.token_url,
        "iat": now, "exp": now + 3600,
    }  # fmt: skip
    good, other = rsa_key(account.email), rsa_key("other")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}
    for changes, key, error in [
        ({}, good, None), ({}, other, "invalid_grant"), ({"aud": "https://example.org/"}, good, "invalid_grant"),
        ({"exp": now - 1}, good, "invalid_grant"), ({"exp": now + 99999}, good, "invalid_grant"),
        ({"iss": "nobody"}, good, "invalid_grant"), ({"scope": ""}, good, "invalid_scope"),
    ]:  # fmt: skip
        data = {**form, "assertion": sign(claims | changes, key)}
        assert error == session.post(server.token_url, data=data, timeout=10).json().get("error")
    malformed = session.post(server.token_url, data={**form, "assertion": "x"}, timeout=10)
    assert "invalid_grant" == malformed.json()["error"]


def test_revocation(server: OAuthServer, session: requests.Session) -> None:
    """Google's form says whether there was something; RFC 7009's, of a known client, never does."""
    client = server.new_client()
    own = {"client_id": client.client_id, "client_secret": "fake-secret"}
    for form, known, unknown in ((own, 200, 200), ({}, 200, 400)):
        refresh_token = server.new_refresh_token(client)
        renewal = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        access = token(server, session, client, **renewal)["access_token"]
        data = {**form, "token": refresh_token}
        statuses = [session.post(server.revocation_url, data=data, timeout=10).status_code for _ in range(2)]
        assert ([known, unknown], None) == (statuses, server.check(access))
    kept = server.new_refresh_token(server.new_client())
    session.post(server.revocation_url, data={**own, "token": kept}, timeout=10)
    wrong = {**own, "client_secret": "wrong", "token": kept}
    assert 401 == session.post(server.revocation_url, data=wrong, timeout=10).status_code
    assert 200 == session.post(f"{server.revocation_url}?token={kept}", timeout=10).status_code
