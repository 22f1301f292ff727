"""A fresh Graph and Entra for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tap_mailbox import https
from tap_mailbox.sources.graph import client
from tests.servers.graph import GraphServer
from tests.servers.oauth import Entra
from tests.tap.graph.world import World


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of an authority that vouches for nobody."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, authority: str) -> None:
    """Back off for thousandths of a second; what the service asks for is waited for in full.

    And trust one authority instead of all public ones, which take longer to load than a small run.
    """
    monkeypatch.setattr(client, "FIRST_DELAY_SECONDS", 0.004)
    monkeypatch.setattr(https, "DEFAULT_CA_BUNDLE_PATH", authority)
    monkeypatch.setenv("SSL_CERT_FILE", authority)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ann's empty mailbox."""
    with GraphServer() as graph, Entra() as entra:
        yield World(graph, entra, tmp_path)
