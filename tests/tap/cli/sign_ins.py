"""Accounts of the authorization servers' doubles, and persons who sign in there."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tap_mailbox.auth.login import sign_in_by_browser, sign_in_by_device
from tests.servers.oauth import OAuthServer
from tests.tap.cli.commands import parsed

SECRETS = re.compile(r"fake-(secret|access|refresh|code|device)|eyJ")
"""What no output may show."""


def with_client_file(
    oauth: OAuthServer, tmp_path: Path, *, kind: str, redirects: tuple[str, ...] = ()
) -> dict:
    client_file = oauth.write_client_file(
        tmp_path / "client.json", oauth.new_client(redirect_uris=redirects), kind
    )
    method = {"method": "xoauth2", "client_file": str(client_file)}
    return {
        "name": "gmail",
        "protocol": "imap",
        "email": "ann@example.org",
        "host": "127.0.0.1",
        "ca_file": str(oauth.ca_file),
        "auth": [{**method, "token_file": str(tmp_path / "tokens.json")}],
    }


def generic(oauth: OAuthServer, tmp_path: Path, **more: Any) -> dict[str, Any]:
    """Return an account of a provider that has only endpoints."""
    client = oauth.new_client()
    return {
        "name": "work",
        "protocol": "imap",
        "email": "ann@example.org",
        "host": "127.0.0.1",
        "ca_file": str(oauth.ca_file),
        "auth": [
            {
                "method": "xoauth2",
                "client_id": client.client_id,
                "client_secret": client.secret,
                "auth_url": oauth.authorization_url,
                "token_url": oauth.token_url,
                "revoke_url": oauth.revocation_url,
                "scope": "mail",
                "token_file": str(tmp_path / "tokens.json"),
                **more,
            }
        ],
    }


def device(
    account: dict[str, Any],
    *,
    enter: Callable[[str], object] = lambda code: None,
    wait: Callable[[float], None] = lambda seconds: None,
    timeout: float = 30,
) -> None:
    """Sign in by device code; *enter* is what the person does with the code."""
    found = parsed(account)
    sign_in_by_device(
        found, found.auth[0], show=lambda code: enter(code.user_code), wait=wait, timeout=timeout
    )


def browser(
    account: dict[str, Any], visit: Callable[[str], object], *, port: int = 0, timeout: float = 30
) -> None:
    """Sign in by browser; *visit* is what it does with the address, in a thread of its own."""
    found = parsed(account)
    threads = []

    def show(url: str, _: int) -> None:
        threads.append(threading.Thread(target=visit, args=(url,)))
        threads[0].start()

    try:
        sign_in_by_browser(found, found.auth[0], show=show, port=port, timeout=timeout)
    finally:
        for thread in threads:
            thread.join()


def redirected(oauth: OAuthServer, url: str) -> str:
    """Return where the authorization server sends the browser."""
    with oauth.session() as session:
        answer = session.get(url, allow_redirects=False, timeout=10)
        answer.close()
    return answer.headers["Location"]


def approve(oauth: OAuthServer) -> Callable[[str], None]:
    def visit(url: str) -> None:
        requests.get(redirected(oauth, url), timeout=10).close()

    return visit
