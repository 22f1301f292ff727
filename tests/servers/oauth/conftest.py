"""Fixtures for the tests of the doubles themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.servers.oauth import Entra


@pytest.fixture
def entra() -> Iterator[Entra]:
    """A fresh Entra."""
    with Entra() as entra:
        yield entra


@pytest.fixture
def session(entra: Entra) -> Iterator[requests.Session]:
    """A session that trusts it."""
    with entra.session() as session:
        yield session
