"""Signing in by a browser that comes back to this machine (RFC 8252), with PKCE (RFC 7636)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tap_mailbox.auth import credential_for
from tap_mailbox.errors import CredentialError, Unavailable
from tests.servers.dovecot import Dovecot
from tests.servers.oauth import Introspection, OAuthServer
from tests.tap.cli.commands import mailbox, parsed, write_config
from tests.tap.cli.sign_ins import SECRETS, approve, browser, generic, redirected, with_client_file


@pytest.mark.parametrize("provider", ["installed", "web", "generic", "public"])
def test_approved(oauth: OAuthServer, tmp_path: Path, free_port: int, provider: str) -> None:
    """Google's client files of both kinds, a provider by its endpoints, and a client without a secret."""
    match provider:
        case "installed":
            account = with_client_file(oauth, tmp_path, kind="installed")
        case "web":
            redirects = ("https://example.org/back", f"http://localhost:{free_port}/back")
            account = with_client_file(oauth, tmp_path, kind="web", redirects=redirects)
        case "generic":
            account = generic(oauth, tmp_path)
        case _:
            account = generic(
                oauth, tmp_path, client_id=oauth.new_client(secret=None).client_id, client_secret=None
            )
    browser(account, approve(oauth))
    found = parsed(account)
    refreshes = oauth.refreshes
    credential = credential_for(found, found.auth[0])
    grant = oauth.check(credential.token())
    assert grant is not None
    assert ("ann@example.org", refreshes) == (grant.mailbox, oauth.refreshes)
    assert oauth.check(credential.token(rejected=credential.token()))


def test_a_server_takes_it(
    oauth: OAuthServer, gmail: dict[str, Any], tmp_path: Path, make_dovecot: Callable[..., Dovecot]
) -> None:
    """What login writes, a mail server lets in: `check` reports the folders behind it."""
    browser(gmail, approve(oauth))
    with Introspection(oauth) as introspection:
        dovecot = make_dovecot(oauth=introspection.url)
        user = dovecot.new_user(name="ann@example.org")
        dovecot.append(user, "INBOX", b"Subject: hi\r\n\r\nbody\r\n")
        account = {**gmail, "port": dovecot.port, "tls": "none"}
        result = mailbox("check", "--config", write_config(tmp_path / "config.json", account))
    assert 0 == result.exit_code, result.output
    assert "sign-in    xoauth2" in result.stdout
    assert "xoauth2: renewed " in result.stdout
    assert "1 message" in result.stdout
    assert not SECRETS.search(result.output)


def test_address(oauth: OAuthServer, gmail: dict[str, Any]) -> None:
    """The address asks for a code with PKCE S256, a state, and a refresh token in Google's words."""
    seen: list[str] = []

    def visit(url: str) -> None:
        seen.append(url)
        approve(oauth)(url)

    browser(gmail, visit)
    query = {key: values[0] for key, values in parse_qs(urlsplit(seen[0]).query).items()}
    assert ("code", "S256", "offline", "consent") == (
        query["response_type"], query["code_challenge_method"], query["access_type"], query["prompt"],
    )  # fmt: skip
    assert "https://mail.google.com/" == query["scope"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", query["redirect_uri"])
    assert 43 == len(query["code_challenge"])  # of a SHA-256
    assert len(query["state"]) >= 32


def test_denied(oauth: OAuthServer, gmail: dict[str, Any]) -> None:
    """The person says no."""
    oauth.deny = True
    with pytest.raises(CredentialError, match="declined"):
        browser(gmail, approve(oauth))
    assert not Path(gmail["auth"][0]["token_file"]).exists()


def test_foreign_state(oauth: OAuthServer, gmail: dict[str, Any]) -> None:
    """Requests of others (another state, none, /favicon.ico) are turned away, and the right one still counts."""
    statuses: list[int] = []

    def visit(url: str) -> None:
        target = redirected(oauth, url)
        base = target.partition("?")[0]
        for wrong in (
            f"{base}?code=fake-code&state=foreign",
            f"{base}?code=fake-code",
            f"{base}?error=access_denied&state=foreign",
            f"{base}favicon.ico",
            target,
        ):
            with requests.get(wrong, timeout=10) as answer:
                statuses.append(answer.status_code)

    browser(gmail, visit)
    assert [400, 400, 400, 404, 200] == statuses


def test_timeout(gmail: dict[str, Any]) -> None:
    """A browser that never comes back, and one that comes with a foreign state only."""
    with pytest.raises(CredentialError, match=r"did not come back within 1 s; begin"):
        browser(gmail, lambda url: None, timeout=1)

    def foreign(url: str) -> None:
        redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        requests.get(f"{redirect}?code=fake-code&state=foreign", timeout=10).close()

    with pytest.raises(CredentialError, match="1 with a foreign `state`"):
        browser(gmail, foreign, timeout=1)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"error": "invalid_grant"}, CredentialError),
        ({"status": 503}, Unavailable),
        ({"body": b"<html>"}, Unavailable),
    ],
)
def test_exchange_fails(oauth: OAuthServer, gmail: dict[str, Any], fault: dict, error: type) -> None:
    """The code cannot be exchanged: an error that shows nothing of it, and no token file."""
    oauth.fail_next(**fault)
    with pytest.raises(error) as caught:
        browser(gmail, approve(oauth))
    assert not SECRETS.search(str(caught.value))
    assert not Path(gmail["auth"][0]["token_file"]).exists()


def test_less_granted(oauth: OAuthServer, tmp_path: Path) -> None:
    """A scope that was unticked is named at once, and not found out at the first run."""
    account = generic(oauth, tmp_path, scope="mail contacts")
    with pytest.raises(CredentialError, match="did not grant contacts"):
        browser(account, lambda url: approve(oauth)(url.replace("mail+contacts", "mail")))


def test_port_in_use(oauth: OAuthServer, gmail: dict[str, Any]) -> None:
    """The port is named."""
    with pytest.raises(CredentialError, match=f"port {oauth.port} .* choose another"):
        browser(gmail, approve(oauth), port=oauth.port)


def test_web_client_without_loopback(oauth: OAuthServer, tmp_path: Path) -> None:
    """A web client that nobody here can be redirected to says what to add."""
    account = with_client_file(oauth, tmp_path, kind="web", redirects=("https://example.org/back",))
    with pytest.raises(CredentialError, match=r"http://localhost:8765/"):
        browser(account, approve(oauth))


def test_web_client_on_another_port(oauth: OAuthServer, tmp_path: Path, free_port: int) -> None:
    """--port must be one that the client is registered with."""
    redirects = ("http://localhost", f"http://localhost:{free_port}/")
    account = with_client_file(oauth, tmp_path, kind="web", redirects=redirects)
    with pytest.raises(CredentialError, match=r"http://localhost:1234/"):
        browser(account, approve(oauth), port=1234)
    browser(account, approve(oauth), port=free_port)


def test_no_place_for_the_file(oauth: OAuthServer, gmail: dict[str, Any], tmp_path: Path) -> None:
    """It is known before anybody is asked to sign in."""
    (tmp_path / "occupied").write_text("")
    gmail["auth"][0]["token_file"] = str(tmp_path / "occupied" / "tokens.json")
    with pytest.raises(CredentialError, match="cannot be made"):
        browser(gmail, lambda url: pytest.fail("a person was asked"))


def test_broken_file_is_mended(oauth: OAuthServer, gmail: dict[str, Any], tmp_path: Path) -> None:
    """A token file that is no JSON any more is what one signs in again for."""
    (tmp_path / "tokens.json").write_text("{")
    browser(gmail, approve(oauth))
    assert "refresh_token" in json.loads((tmp_path / "tokens.json").read_text())


def test_keys_of_others_stay(oauth: OAuthServer, gmail: dict[str, Any], tmp_path: Path) -> None:
    """A second login replaces the tokens and nothing else in the file."""
    path = oauth.write_token_file(tmp_path / "tokens.json", "fake-old")
    path.write_text(json.dumps({**json.loads(path.read_text()), "note": "mine"}))
    browser(gmail, approve(oauth))
    kept = json.loads(path.read_text())
    assert ("mine", True) == (kept["note"], kept["refresh_token"] != "fake-old")
    assert "https://mail.google.com/" == kept["scope"]
