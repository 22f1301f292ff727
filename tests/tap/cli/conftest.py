"""Fixtures of the command's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.servers.oauth import Entra, OAuthServer
from tests.servers.ports import free_ports
from tests.tap.cli.sign_ins import with_client_file


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """The command takes over what a project's .env says; the next test does not."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    (port,) = free_ports(1)
    return port


@pytest.fixture
def outlook(entra: Entra, tmp_path: Path) -> dict[str, Any]:
    """An account with delegated permission, not signed in yet."""
    app = entra.new_app(tenant="consumers", secret=None, public=True)
    method = {"method": "msal", "client_id": app.client_id, "tenant_id": "consumers"}
    return {
        "name": "outlook",
        "protocol": "graph",
        "email": "ann@outlook.example",
        "authority": entra.authority,
        "ca_file": str(entra.ca_file),
        "auth": [{**method, "token_file": str(tmp_path / "new" / "tokens.json")}],
    }


@pytest.fixture
def gmail(oauth: OAuthServer, tmp_path: Path) -> dict[str, Any]:
    """An account with Google's kind of client file, not signed in yet."""
    return with_client_file(oauth, tmp_path, kind="installed")
