"""Dovecot signs in by the tokens of the OAuth doubles, and the doubles misbehave as told."""

from __future__ import annotations

import imaplib
import json
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.servers.dovecot import Dovecot, User
from tests.servers.oauth import Entra, Introspection, OAuthServer
from tests.servers.token_mail import TokenMail, token_mail

IMAP = "https://outlook.office.com/IMAP.AccessAsUser.All"
APP_SCOPE = "https://outlook.office365.com/.default"
REFRESH = {"grant_type": "refresh_token", "client_secret": "fake-secret"}


@pytest.fixture(scope="module")
def bench() -> Iterator[TokenMail]:
    with token_mail() as all_of_them:
        yield all_of_them


def sign_in(dovecot: Dovecot, mechanism: str, user: User, token: str) -> list[bytes]:
    """Sign in; returns the server's challenges. The error challenge is answered as the documents say."""
    texts = {
        "XOAUTH2": f"user={user.name}\1auth=Bearer {token}\1\1",
        "OAUTHBEARER": f"n,a={user.name},\1host=localhost\1port=143\1auth=Bearer {token}\1\1",
    }
    challenges: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        if len(challenges) == 1:
            return texts[mechanism].encode()
        return b"" if mechanism == "XOAUTH2" else b"\1"  # RFC 7628 section 3.2.3

    with imaplib.IMAP4(dovecot.host, dovecot.port, timeout=20) as client:
        try:
            client.authenticate(mechanism, answer)
        except imaplib.IMAP4.error as error:
            return [*challenges[1:], str(error).encode()]
        client.select("INBOX", readonly=True)
        return challenges[1:]


def entra_token(bench: TokenMail, name: str) -> str:
    return bench.entra.new_access_token(bench.entra.new_app(), name, [IMAP])


def work_token(bench: TokenMail, name: str) -> str:
    """Return an application's token, got over the wire as clients do."""
    app = bench.entra.new_app("contoso.example", app_permissions=True)
    bench.introspection.app_mailbox = name
    form = {"grant_type": "client_credentials", "client_secret": "fake-secret", "scope": APP_SCOPE}
    with bench.entra.session() as session:
        url = f"{bench.entra.authority_of(app)}/oauth2/v2.0/token"
        answer = session.post(url, data={"client_id": app.client_id, **form}, timeout=10)
    return answer.json()["access_token"]


def server_token(bench: TokenMail, name: str) -> str:
    return bench.server.new_access_token(name)


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("issue", [entra_token, work_token, server_token])
def test_a_live_token_signs_in(
    bench: TokenMail, mechanism: str, issue: Callable[[TokenMail, str], str]
) -> None:
    """Tokens of either double, delegated and of an application, without a challenge; passwords still do."""
    user = bench.dovecot.new_user()
    assert [] == sign_in(bench.dovecot, mechanism, user, issue(bench, user.name))
    with bench.dovecot.client(user) as client:
        assert client.folder_exists("INBOX")


@pytest.mark.parametrize(
    ("mechanism", "why"),
    [
        ("XOAUTH2", "expired"),
        ("XOAUTH2", "for Graph"),
        ("XOAUTH2", "of another"),
        ("XOAUTH2", "revoked"),
        ("OAUTHBEARER", "unknown"),
    ],
)
def test_another_token_is_refused_by_a_challenge(bench: TokenMail, mechanism: str, why: str) -> None:
    """The server sends JSON first, then NO."""
    user = bench.dovecot.new_user()
    issue = bench.server.new_access_token
    if why == "revoked":
        revoked = issue(user.name)
        bench.server.revoke(user.name)
    token = {
        "expired": lambda: issue(user.name, expires_in=0),
        "unknown": lambda: "fake-token",
        "of another": lambda: issue("somebody-else"),
        "for Graph": lambda: bench.entra.new_access_token(bench.entra.new_app(), user.name),
        "revoked": lambda: revoked,
    }[why]()
    challenge, refusal = sign_in(bench.dovecot, mechanism, user, token)
    assert ("401" if mechanism == "XOAUTH2" else "invalid_token") == json.loads(challenge)["status"]
    assert b"AUTHENTICATIONFAILED" in refusal


def test_an_address_may_be_the_name_of_the_user(bench: TokenMail) -> None:
    """As with the providers."""
    user = bench.dovecot.new_user(name="ann@outlook.example")
    assert [] == sign_in(bench.dovecot, "XOAUTH2", user, entra_token(bench, user.name))


@pytest.fixture(params=[Entra, OAuthServer])
def renew(
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Entra | OAuthServer, Callable[[], requests.Response]]]:
    """Each double, and a refresh of one and the same token."""
    with request.param() as double, double.session() as session:
        client = double.new_app() if isinstance(double, Entra) else double.new_client()
        path = "/consumers/oauth2/v2.0/token" if isinstance(double, Entra) else "/token"
        token = double.new_refresh_token(client)
        form = {**REFRESH, "client_id": client.client_id, "refresh_token": token}
        yield double, lambda: session.post(double.url + path, data=form, timeout=10)


def test_faults_come_in_order_and_pass(renew: tuple) -> None:
    """Errors, statuses with Retry-After, octets that are no JSON; then all is well."""
    double, refresh = renew
    double.fail_next(status=500, path="elsewhere$")
    double.fail_next("invalid_grant")
    double.fail_next("temporarily_unavailable", status=429, retry_after=7)
    double.fail_next(status=503, times=2)
    double.fail_next(body=b"\xef\xbb\xbf{")
    answers = [refresh() for _ in range(6)]
    assert [400, 429, 503, 503, 200, 200] == [answer.status_code for answer in answers]
    assert "invalid_grant" == answers[0].json()["error"]
    assert ("7", "temporarily_unavailable") == (answers[1].headers["Retry-After"], answers[1].json()["error"])
    assert b"" == answers[2].content
    assert b"\xef\xbb\xbf{" == answers[4].content
    assert "access_token" in answers[5].json()
    assert 1 == double.refreshes
    double.fail_next(status=500, times=None)
    assert [500, 500] == [refresh().status_code for _ in range(2)]
    double.heal()
    assert 200 == refresh().status_code


def test_a_reset_grants_nothing_and_a_lost_answer_does(renew: tuple) -> None:
    """Before the work, or in the middle of the answer."""
    double, refresh = renew
    double.reset_next()
    with pytest.raises(requests.ConnectionError):
        refresh()
    assert 0 == double.refreshes
    double.lose_next()
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        refresh()
    assert 1 == double.refreshes
    assert 200 == refresh().status_code
    assert [0, 200, 200] == [request.status for request in double.requests]


def test_a_reset_is_a_reset(bench: TokenMail) -> None:
    """Not a polite end; seen here without TLS, for Python takes a reset under TLS for an end."""
    bench.introspection.reset_next(path="introspect$")
    url = bench.introspection.url
    with bench.introspection.session() as session, pytest.raises(requests.ConnectionError, match="by peer"):
        session.post(url, data={"token": "fake"}, timeout=10)


def test_the_log_keeps_no_secret(renew: tuple) -> None:
    """Neither secrets nor tokens."""
    double, refresh = renew
    refresh()
    assert "secret" == double.requests[0].credential
    assert "fake" not in repr([r.__dict__ | {"client_id": ""} for r in double.requests])


def test_a_request_is_a_proper_form(bench: TokenMail) -> None:
    """A repeated parameter is refused; two ways of authentication at once, too; and one is enough."""
    client = bench.server.new_client()
    token = bench.server.new_refresh_token(client)
    form = {"grant_type": "refresh_token", "refresh_token": token}
    basic = requests.auth.HTTPBasicAuth(client.client_id, "fake-secret")
    with bench.server.session() as session:
        twice = session.post(
            bench.server.token_url, data=[*form.items(), *form.items()], auth=basic, timeout=10
        )
        both = session.post(bench.server.token_url, data=REFRESH | form, auth=basic, timeout=10)
        one = session.post(bench.server.token_url, data=form, auth=basic, timeout=10)
    assert ["invalid_request", "invalid_request", None] == [a.json().get("error") for a in (twice, both, one)]


def test_nobody_is_trusted_without_the_ca_file(bench: TokenMail) -> None:
    """The certificate is not one of the system's authorities."""
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(bench.entra.authority, timeout=10)


def test_a_mistake_inside_a_double_is_not_swallowed() -> None:
    """It is raised where the double ends."""

    class Broken(Introspection):
        def answer(self, incoming):
            raise KeyError("mistake")

    broken = Broken()
    with broken.session() as session, pytest.raises(requests.ConnectionError):
        session.post(broken.url, timeout=10)
    with pytest.raises(KeyError, match="mistake"):
        broken.stop()


def test_a_slow_answer_and_a_client_that_stays_connected(renew: tuple) -> None:
    """The answer takes as long as told; the end of a double waits for nobody who is still connected."""
    double, refresh = renew
    double.latency = 0.05
    started = time.monotonic()
    assert 200 == refresh().status_code
    assert time.monotonic() - started >= 0.05
    double.stop()
    with pytest.raises(OSError):  # noqa: PT011 - refused, or the file of the authority is gone
        refresh()
