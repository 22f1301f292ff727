"""Signing in by device code (RFC 8628), through the real msal."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox.auth import credential_for
from tap_mailbox.errors import CredentialError
from tests.servers.oauth import Entra
from tests.tap.cli.commands import parsed
from tests.tap.cli.sign_ins import device


def test_approved(entra: Entra, outlook: dict[str, Any]) -> None:
    """The token file is written, mode 600 in a directory of mode 700, and a run needs no renewal at first."""
    device(outlook, enter=lambda code: entra.approve(code, "ann@outlook.example"))
    account = parsed(outlook)
    path = account.auth[0].token_file
    assert path is not None
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
    assert {"access_token", "refresh_token", "updated"} <= json.loads(path.read_text()).keys()
    refreshes = entra.refreshes
    credential = credential_for(account, account.auth[0])
    grant = entra.check(credential.token())
    assert grant is not None
    assert ("ann@outlook.example", refreshes) == (grant.mailbox, entra.refreshes)
    renewed = entra.check(credential.token(rejected=credential.token()))
    assert renewed is not None


def test_scopes(entra: Entra, outlook: dict[str, Any]) -> None:
    """What is asked for is reading mail, and a refresh token."""
    device(outlook, enter=entra.approve)
    asked = [each.scope for each in entra.requests if each.path.endswith("/devicecode")][-1]
    assert {"https://graph.microsoft.com/Mail.Read", "offline_access"} <= set(asked.split())


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda entra, code: entra.decline(code), "declined"),
        (lambda entra, code: entra.fail_next("expired_token", codes=[70020]), "expired"),
        (lambda entra, code: entra.fail_next("invalid_client", codes=[7000218]), "7000218"),
    ],
    ids=["declined", "expired", "not public"],
)
def test_refused(entra: Entra, outlook: dict[str, Any], prepare: Callable, words: str) -> None:
    """What happened is said, and no token file appears."""
    with pytest.raises(CredentialError, match=words):
        device(outlook, enter=lambda code: prepare(entra, code))
    assert not Path(outlook["auth"][0]["token_file"]).exists()


@pytest.mark.filterwarnings("ignore:Attempted too soon")
def test_slow_down(entra: Entra, outlook: dict[str, Any]) -> None:
    """Each slow_down makes the pauses five seconds longer (RFC 8628, section 3.5)."""
    pauses: list[float] = []

    def enter(code: str) -> None:
        entra.approve(code)
        entra.fail_next("slow_down", codes=[70016], times=2)

    device(outlook, enter=enter, wait=pauses.append)
    assert [1, 6, 11] == pauses


@pytest.mark.filterwarnings("ignore:Attempted too soon")
@pytest.mark.parametrize("fault", ["reset", "unavailable", "throttled"])
def test_through_trouble(entra: Entra, outlook: dict[str, Any], fault: str) -> None:
    """A lost answer or a busy service does not end the wait for the person; Retry-After is kept to."""
    pauses: list[float] = []

    def enter(code: str) -> None:
        entra.approve(code)
        if fault == "reset":
            entra.reset_next()
        else:
            entra.fail_next(status=503 if fault == "unavailable" else 429, retry_after=7)

    device(outlook, enter=enter, wait=pauses.append)
    assert [1, 7 if fault == "throttled" else 1, 1] == pauses


def test_short_scopes(entra: Entra, outlook: dict[str, Any]) -> None:
    """Microsoft may answer `Mail.Read` where it was asked for by its full name; another permission is too little."""

    def answer(scope: str) -> Callable[[str], None]:
        body = {"token_type": "Bearer", "access_token": "fake-access", "refresh_token": "fake-refresh"}
        return lambda code: entra.fail_next(body=json.dumps({**body, "scope": scope}).encode())

    device(outlook, enter=answer("profile mail.read"))
    with pytest.raises(CredentialError, match=r"did not grant https://graph\.microsoft\.com/Mail\.Read;"):
        device(outlook, enter=answer("profile User.Read"))


def test_timeout(outlook: dict[str, Any]) -> None:
    """Nobody enters the code: we stop asking."""
    with pytest.raises(CredentialError, match="not entered within 1 s"):
        device(outlook, wait=time.sleep, timeout=1)


def test_unknown_tenant(entra: Entra, outlook: dict[str, Any]) -> None:
    """Nothing is shown where there is no code to be had."""
    outlook["auth"][0]["tenant_id"] = "nobody.example"
    with pytest.raises(CredentialError, match=r"nobody\.example"):
        device(outlook, enter=lambda code: pytest.fail("a code was shown"))
