"""Fixtures for all tests: real servers, isolated homes, Hypothesis profiles."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.imap_script import ImapScript
from tests.servers.programs import in_ci
from tests.servers.proxy import Proxy

# On a busy machine a deadline per example says nothing about the code.
hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if in_ci() else "dev")


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the developer's home, settings and time zone out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("MELTANO_", "TAP_MAILBOX_", "TARGET_HASHFS_", "SINGER_", "XDG_")):
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot for the whole session; take a `new_user()` each."""
    with Dovecot() as server:
        yield server


@pytest.fixture
def make_dovecot() -> Iterator[Callable[..., Dovecot]]:
    """Start a Dovecot with settings of the test's own; it ends with the test."""
    servers: list[Dovecot] = []

    def make(**settings: object) -> Dovecot:
        servers.append(Dovecot(**settings))  # type: ignore[arg-type]
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def proxy(dovecot: Dovecot) -> Iterator[Proxy]:
    """A proxy in front of the session's Dovecot; plain text only."""
    with Proxy(dovecot.port) as between:
        yield between


@pytest.fixture
def make_imap_script() -> Iterator[Callable[..., ImapScript]]:
    """Start a scripted IMAP server; it ends with the test."""
    servers: list[ImapScript] = []

    def make(*args: object, **settings: object) -> ImapScript:
        servers.append(ImapScript(*args, **settings))  # type: ignore[arg-type]
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
