"""A token goes to the host that the configuration names, over TLS, and to nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tap_mailbox.auth.login import sign_in_by_browser
from tap_mailbox.auth.revocation import revoke
from tap_mailbox.auth.token_endpoint import TokenEndpoint
from tap_mailbox.errors import CredentialError, TapError, Unavailable
from tests.tap.auth.accounts import account, credential, legacy, microsoft, names
from tests.tap.security.listener import Listener, says, silent

TOKEN = json.dumps({"access_token": "fake-access", "expires_in": 3600}).encode()
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def generic(token_url: str, **more: str) -> dict[str, str]:
    files = {"client_id": "fake-id", "token_file": "token.json"}
    return {"method": "xoauth2", **files, "token_url": token_url, **more}


def test_plain_http_has_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http is for this machine alone: no proxy of the environment takes it elsewhere."""
    legacy(tmp_path / "token.json", "fake-refresh")
    with Listener(says(TOKEN)) as endpoint, Listener(says(TOKEN)) as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        assert credential(tmp_path, generic(f"{endpoint.url}/token")).token() == "fake-access"
    assert proxy.heard == b""
    assert b"fake-refresh" in endpoint.heard


def test_proxy_sees_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over https a proxy is asked for a tunnel, and hears nothing but the host."""
    legacy(tmp_path / "token.json", "fake-refresh")
    with Listener(says(b"", "502 Bad Gateway")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(Unavailable):
            credential(tmp_path, generic("https://login.example.org/token")).token()
    assert proxy.heard.startswith(b"CONNECT login.example.org:443 ")
    assert b"fake-refresh" not in proxy.heard


@pytest.mark.parametrize("elsewhere", ["http", "https"])
def test_tenant_described_elsewhere(tmp_path, entra, elsewhere) -> None:
    """The authority's own description cannot send a refresh token to another host, nor in clear."""
    app = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    with Listener(says(TOKEN)) as other:
        base = f"{elsewhere}://{other.url.removeprefix('http://')}"
        description = {
            "issuer": f"{entra.authority}/{app.tenant}/v2.0",
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "device_authorization_endpoint": f"{base}/devicecode",
        }
        entra.fail_next(path="openid-configuration$", body=json.dumps(description).encode(), times=None)
        with pytest.raises(CredentialError, match=r"another host|no https authority"):
            microsoft(tmp_path, entra, app).token()
    assert other.heard == b""


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent"])
def test_redirect(tmp_path: Path, status: str) -> None:
    """A redirected token request ends there: what it carries stays."""
    legacy(tmp_path / "token.json", "fake-refresh")
    with (
        Listener(says(TOKEN)) as other,
        Listener(says(b"", status, f"Location: {other.url}/")) as endpoint,
        pytest.raises(Unavailable, match="redirects"),
    ):
        credential(tmp_path, generic(f"{endpoint.url}/token")).token()
    assert other.heard == b""


NO_ENDPOINTS = [
    "http://login.example.org/token",
    "http://127.0.0.1.example.org/token",
    "http://localhost@example.org/token",
    # urllib3 goes to what stands before the backslash, urllib.parse reads what stands behind the @.
    "http://example.org\\@localhost/token",
    "https://ann:fake-secret@login.example.org/token",
    "https://[login.example.org/token",
    "https:///token",
    "ftp://login.example.org/token",
    "javascript:alert(1)",
    "//login.example.org/token",
    "",
]


@pytest.mark.parametrize("url", NO_ENDPOINTS)
def test_no_endpoints(tmp_path: Path, url: str) -> None:
    """Only https to a plain host is an endpoint; the rest is refused without its user name in the text."""
    ann = account(tmp_path, generic("https://login.example.org/token"))
    with pytest.raises(CredentialError) as caught:
        TokenEndpoint(url, ann).close()
    assert "fake-secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["auth_url", "token_url"])
@pytest.mark.parametrize("url", ["http://login.example.org/", "file:///etc/passwd", "--new-window"])
def test_sign_in_is_over_https(tmp_path: Path, key: str, url: str) -> None:
    """No browser is sent anywhere in clear, and nobody approves what could not be redeemed."""
    urls = {"auth_url": "https://login.example.org/", "token_url": "https://login.example.org/token"}
    ann = account(tmp_path, generic(**urls))
    # The configuration takes no such URL, but not all come from there.
    method = replace(ann.auth[0], **{key: url})
    shown: list[str] = []
    with pytest.raises(CredentialError, match="https"):
        sign_in_by_browser(ann, method, show=lambda url, _: shown.append(url), port=0, timeout=0.01)
    assert shown == []


@pytest.mark.parametrize("status", ["302 Found", "304 Not Modified", "404 Not Found"])
def test_only_success_has_revoked(tmp_path: Path, status: str) -> None:
    """Whoever sends the revocation elsewhere has revoked nothing: RFC 7009 says 200."""
    legacy(tmp_path / "token.json", "fake-refresh")
    with Listener(says(b"", status, "Location: https://example.org/")) as provider:
        ann = account(tmp_path, generic("https://login.example.org/token", revoke_url=f"{provider.url}/"))
        with pytest.raises(TapError):
            revoke(ann, ann.auth[0])
    assert b"fake-refresh" in provider.heard
    assert "token.json" in names(tmp_path)


def test_own_endpoint_is_not_revoked_at_the_presets(tmp_path: Path) -> None:
    """A token of an endpoint of one's own is not shown to the preset's provider."""
    legacy(tmp_path / "token.json", "fake-refresh")
    ann = account(tmp_path, generic("https://login.example.org/token"), provider="gmail")
    assert ann.auth[0].revoke_url is None


def test_silent_listener_is_no_endpoint(tmp_path: Path) -> None:
    """Nothing is sent to a host that shows no certificate."""
    legacy(tmp_path / "token.json", "fake-refresh")
    with Listener(silent) as other:
        url = f"https://127.0.0.1:{other.port}/token"
        ann = credential(tmp_path, generic(url), read_timeout=0.5, connect_timeout=0.5)
        with pytest.raises(Unavailable):
            ann.token()
    assert b"fake-refresh" not in other.heard
