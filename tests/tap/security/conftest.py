"""Authorization servers for the module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.oauth import Entra, OAuthServer


@pytest.fixture(scope="module")
def _entra() -> Iterator[Entra]:
    with Entra() as server:
        yield server


@pytest.fixture
def entra(_entra: Entra) -> Entra:
    """Microsoft's, without faults left over."""
    _entra.heal()
    _entra.requests.clear()
    return _entra


@pytest.fixture(scope="module")
def oauth() -> Iterator[OAuthServer]:
    """Any other provider's."""
    with OAuthServer() as server:
        yield server
