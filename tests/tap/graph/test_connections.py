"""The way to the service: what the environment says of proxies, authorities and credentials, and what is kept."""

from __future__ import annotations

import base64
import threading
from urllib.parse import urlsplit

import pytest
import trustme

from tests.servers.graph import Fault
from tests.servers.ports import HOST
from tests.servers.tunnel import Tunnel
from tests.tap.security.listener import Listener, says

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_proxy_sees_a_tunnel(world, monkeypatch):
    """Over https the environment's proxy is asked for a tunnel, with its own password, and hears no token."""
    world.fill(1)
    with Listener(says(b"", "502 Bad Gateway")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:fake-password@"))
        run = world.run()
    assert (3, []) == (run.code, world.graph.log)
    assert proxy.heard.startswith(f"CONNECT {HOST}:{world.graph.port} ".encode())
    assert b"Proxy-Authorization: Basic " in proxy.heard
    assert b"Bearer" not in proxy.heard


def test_by_way_of_a_proxy(world, monkeypatch):
    """Sign-in and mail come through the tunnels of a proxy that wants a password; it hears nothing of either."""
    world.write_token(world.token_file)
    world.fill(9)
    with Tunnel("Basic " + base64.b64encode(b"me:fake password").decode()) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:fake%20password@"))
        run = world.run()
    assert (0, 9) == (run.code, len(run.ids))
    assert {f"{HOST}:{world.graph.port}", urlsplit(world.entra.authority).netloc} == set(proxy.asked)
    assert proxy.asked.count(f"{HOST}:{world.graph.port}") <= 4
    assert b"Bearer" not in proxy.said


def test_proxy_that_refuses_us(world, monkeypatch):
    """A proxy that wants another password ends the account, and the failure does not tell ours."""
    with Tunnel("Basic of-somebody-else") as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:fake-password@"))
        run = world.run()
    assert (3, [], []) == (run.code, proxy.asked, world.graph.log)
    assert "fake-password" not in str(run.report("ann").failures)


def test_no_proxy(world, monkeypatch):
    """Hosts that the environment excepts are reached without the proxy."""
    world.fill(1)
    with Listener(says(b"", "502 Bad Gateway")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", HOST)
        assert ["0"] == world.run().ids
    assert b"" == proxy.heard


@pytest.mark.parametrize("proxy", ["http://me:fake-password@[", "http://me:fake-password@:1"])
def test_proxy_that_is_none(world, monkeypatch, proxy):
    """It ends the account with a word about it, and without its password."""
    monkeypatch.setenv("https_proxy", proxy)
    run = world.run()
    (failure,) = run.report("ann").failures
    assert (3, []) == (run.code, world.graph.log)
    assert "proxy" in failure
    assert "fake" not in failure


def test_environment_does_not_replace_ours(world, monkeypatch, tmp_path):
    """A CA bundle of the environment does not replace ca_file, nor does ~/.netrc become a credential."""
    world.fill(1)
    bundle = tmp_path / "bundle.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    (tmp_path / "netrc").write_text(f"machine {HOST} login fake password fake\n")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(bundle))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert ["0"] == world.run().ids


def test_connections_are_kept(world):
    """Four connections carry a run, however many requests; none of them carries a cookie back."""
    connections = set()  # each has a thread in the simulator
    world.graph.hook = lambda _: connections.add(threading.current_thread())
    world.fill(30)
    world.graph.faults.add(
        path=r"/mailFolders/inbox\?", fault=Fault.status(503, headers={"Set-Cookie": "fake=1; Path=/"})
    )
    assert 30 == len(world.run().ids)
    assert len(connections) <= 4
    assert not any("Cookie" in each.headers for each in world.graph.log)
