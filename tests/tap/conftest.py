"""Authorization servers for the whole session; a test registers an application of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.oauth import Entra, OAuthServer


@pytest.fixture(scope="session")
def entra_for_all() -> Iterator[Entra]:
    with Entra() as server:
        yield server


@pytest.fixture(scope="session")
def oauth_for_all() -> Iterator[OAuthServer]:
    with OAuthServer() as server:
        yield server


@pytest.fixture
def entra(entra_for_all: Entra) -> Entra:
    """Microsoft's, without faults, requests or settings of the test before."""
    server = entra_for_all
    server.heal()
    server.requests.clear()
    server.refreshes, server.expires_in, server.single_use = 0, 3600, False
    return server


@pytest.fixture
def oauth(oauth_for_all: OAuthServer) -> OAuthServer:
    """Google's, and any other provider's, likewise."""
    server = oauth_for_all
    server.heal()
    server.requests.clear()
    server.refreshes, server.expires_in, server.rotate, server.deny = 0, 3599, False, False
    return server
