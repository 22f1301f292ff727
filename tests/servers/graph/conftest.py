"""A simulator, a mailbox in it, and a client of the mailbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.graph import GraphServer, Mailbox
from tests.servers.graph.plain_client import PlainClient


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with GraphServer() as server:
        yield server


@pytest.fixture
def box(graph: GraphServer) -> Mailbox:
    return graph.new_mailbox("ann@outlook.example")


@pytest.fixture
def client(graph: GraphServer, box: Mailbox) -> Iterator[PlainClient]:
    client = PlainClient(graph)
    yield client
    client.close()
