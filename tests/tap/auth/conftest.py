"""Authorization servers for a whole module; a test registers an application of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.oauth import Entra, OAuthServer


@pytest.fixture(scope="session")
def _entra() -> Iterator[Entra]:
    with Entra() as server:
        yield server


@pytest.fixture
def entra(_entra: Entra) -> Entra:
    """Microsoft's, without faults left over."""
    _entra.heal()
    _entra.requests.clear()
    _entra.refreshes, _entra.expires_in, _entra.single_use = 0, 3600, False
    return _entra


@pytest.fixture(scope="session")
def _oauth_server() -> Iterator[OAuthServer]:
    with OAuthServer() as server:
        yield server


@pytest.fixture
def oauth_server(_oauth_server: OAuthServer) -> OAuthServer:
    """Google's, and any other provider's, likewise."""
    _oauth_server.heal()
    _oauth_server.requests.clear()
    _oauth_server.refreshes, _oauth_server.expires_in, _oauth_server.rotate = 0, 3599, False
    return _oauth_server
