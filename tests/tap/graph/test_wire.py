"""What goes over the wire: preferences, links, paths, methods, and a token that nobody else ever sees."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from urllib.parse import unquote, urlsplit

import pytest

from tests.servers.graph import Fault, GraphServer
from tests.servers.ports import HOST
from tests.tap.graph.world import entry_of, folders


class Stranger:
    """A server that nobody may talk to; counts who does."""

    def __init__(self):
        self.connections = 0
        stranger = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                stranger.connections += 1

        self.server = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stranger():
    """Another listening server."""
    made = Stranger()
    yield made
    made.stop()


@pytest.fixture
def busy(world):
    """Two runs over a mailbox with everything in it: pages, folders, removals, attachments, a pending message."""
    world.graph.quirks.page_size_cap = 3
    messages = world.fill(12)
    world.fill("abcd", world.box.new_folder("Sub", parent=world.inbox))
    (large,) = world.fill(["large"])
    world.graph.faults.add(
        path=rf"{large.immutable_id[:-1]}.*/\$value",
        times=None,
        fault=Fault.status(500, code="ErrorCorruptData"),
    )
    account = world.account(reconcile_days=0)
    first = world.run(None, account)
    world.box.move(messages[0], world.box.folder("Archive"))
    world.box.purge(messages[1])
    world.box.mark_read(messages[2])
    world.fill(["new"])
    second = world.run(first.state, account)
    assert (0, 0) == (first.code, second.code)
    return world


def test_rules_of_every_request(busy):
    """GET alone, immutable ids asked for each time, gzip taken, the token in its header and nowhere else."""
    assert len(busy.graph.log) > 60
    for each in busy.graph.log:
        assert "GET" == each.method
        assert 'IdType="ImmutableId"' in each.headers["Prefer"]
        assert each.headers["Authorization"].startswith("Bearer sha256:")
        assert each.headers["User-Agent"].startswith("tap-mailbox/")
        assert "token=" not in each.query or "delta" in each.path
        assert 200 == each.status or "$value" in each.path or "/messages/" in each.path


def test_rules_of_delta(busy):
    """No $filter and no $top on delta; the page size is a preference on every page; options stand in the first URL."""
    delta = busy.asked("messages/delta")
    assert len(delta) > 15
    for each in delta:
        assert re.search(r"odata\.maxpagesize=\d+", each.headers["Prefer"])
        names = {part.partition("=")[0] for part in unquote(each.query).split("&")}
        assert names in ({"$select"}, {"$skiptoken"}, {"$deltatoken"})


def test_content_is_asked_for_below_messages(busy):
    """`$value` beside `/messages/{id}` alone: below a folder it answers 405."""
    contents = busy.asked(r"\$value")
    assert len(contents) > 17
    assert all(
        re.fullmatch(r"/v1\.0/me/messages/[^/]+(/attachments/[^/]+)?/\$value", each.path) for each in contents
    )


def test_no_request_twice(busy):
    """A run without a failure asks nothing twice."""
    busy.graph.faults.clear()
    busy.graph.log.clear()
    busy.run(None, busy.account(reconcile_days=None))
    asked = [f"{each.path}?{each.query}" for each in busy.graph.log]
    twice = {each for each in asked if asked.count(each) > 1}
    assert all("/mailFolders/inbox?" in each for each in twice)


def test_links_go_out_as_they_came_in(world):
    """A link is opaque: nothing in it is decoded, encoded, ordered or shortened on the way."""
    world.fill(1)
    first = world.run(None, world.account(reconcile_days=None))
    odd = "/me/mailFolders('x')/./a/../messages/delta?$deltatoken=a%2FB%7E+b'%20(c)~&x=%C3%BC&&y"
    entry_of(first.state)["delta_link"] = world.graph.url + odd
    world.graph.log.clear()
    world.run(first.state, world.account(reconcile_days=None))
    assert f"/v1.0{odd}" in [f"{each.path}?{each.query}" for each in world.graph.log]


def test_users(world):
    """Application permission reads `/users/{address}`, and the address travels in one segment."""
    world.fill(1)
    run = world.run(None, world.organisation(mailboxes=["Ann@Outlook.Example"]))
    assert (0, ["0"]) == (run.code, run.ids)
    assert {"/v1.0/users/Ann@Outlook.Example"} == {
        "/".join(each.path.split("/")[:4]) for each in world.graph.log
    }


def foreign(kind: str, world, stranger) -> str:
    """Return an address outside the configured service."""
    port = world.graph.port
    return {
        "other port": f"https://{HOST}:{stranger.port}",
        "plain http": f"http://{HOST}:{stranger.port}",
        "own port in http": f"http://{HOST}:{port}",
        "other name": f"https://localhost:{port}",
        "user in front": f"https://fake:fake@{HOST}:{port}",
        "name in front": f"https://{HOST}:{port}@{HOST}:{stranger.port}",
        "backslash": f"https://{HOST}:{stranger.port}\\@{HOST}:{port}",
        "no scheme": f"//{HOST}:{stranger.port}",
        "bad port": f"https://{HOST}:99999999",
        "bad brackets": "https://[::1",
    }[kind]


KINDS = ["other port", "plain http", "own port in http", "other name", "user in front", "name in front", "backslash",
         "no scheme", "bad port", "bad brackets"]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "link"),
    [*((kind, "@odata.deltaLink") for kind in KINDS), *((kind, "@odata.nextLink") for kind in KINDS[:3])],
)
def test_link_to_somebody_else(world, stranger, kind, link):
    """Is not followed and not stored: the folder fails, what the page held is archived, the old link is kept."""
    account = world.account(reconcile_days=None)
    first = world.run(None, account)
    world.fill(2)
    world.fill(["else"], world.box.folder("Archive"))
    away = foreign(kind, world, stranger) + "/v1.0/me/mailFolders/x/messages/delta?$deltatoken=1"
    page = {"value": [{"id": each.immutable_id} for each in world.box.messages(world.inbox)], link: away}
    world.graph.faults.add(
        path=rf"{world.inbox.id[:-1]}.*messages/delta", fault=Fault.body(json.dumps(page).encode())
    )
    seen = len(world.graph.log)
    second = world.run(first.state, account)
    assert (3, ["0", "1", "else"]) == (second.code, sorted(second.ids))
    assert entry_of(first.state)["delta_link"] == folders(second)["Inbox"]["delta_link"]
    assert "next_link" not in folders(second)["Inbox"]
    assert 0 == stranger.connections
    assert not any("/x/messages" in each.path for each in world.graph.log[seen:])
    assert ["0", "1"] == sorted(world.run(second.state, account).ids)


@pytest.mark.parametrize("key", ["delta_link", "next_link"])
def test_link_to_somebody_else_in_the_state(world, stranger, key):
    """A link that somebody put into the state is checked as well."""
    account = world.account(reconcile_days=None)
    world.fill(1)
    world.fill(["else"], world.box.folder("Archive"))
    state = world.run(None, account).state
    entry_of(state)[key] = f"https://{HOST}:{stranger.port}/v1.0/me"
    world.fill(["more"], world.box.folder("Archive"))
    run = world.run(state, account)
    assert (3, ["more"], 0) == (run.code, run.ids, stranger.connections)
    (failure,) = run.report("ann").failures
    assert all(word in failure for word in ("'Inbox'", key, "delete", "state"))
    assert "kept" not in failure
    assert entry_of(state)[key] == entry_of(run.state)[key]
    del entry_of(run.state)[key]
    mended = world.run(run.state, account)
    assert (0, ["0"] if key == "delta_link" else []) == (mended.code, mended.ids)
    assert [] == world.run(mended.state, account).ids


@pytest.mark.parametrize("link", ["garbage", "//", "https://", "/me/mailFolders/x"])
def test_no_link_at_all_in_the_state(world, link):
    """Likewise what is no address; what was pending is tried all the same."""
    account = world.account(reconcile_days=None)
    messages = world.fill(3)
    pattern = f"/messages/{messages[0].immutable_id[:-1]}"
    world.graph.faults.add(path=pattern, times=None, fault=Fault.status(403))
    state = world.run(None, account).state
    world.graph.faults.clear()
    entry_of(state)["delta_link"] = link
    run = world.run(state, account)
    assert (3, ["0"], []) == (run.code, run.ids, entry_of(run.state)["pending"])
    assert "delta_link" in run.report("ann").failures[0]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (r"/mailFolders\?", 302),
        *(("messages/delta", each) for each in (301, 302, 303, 307, 308)),
        (r"/\$value", 302),
    ],
)
def test_redirect(world, stranger, status, path):
    """Is not followed, wherever it comes: the token would go along."""
    account = world.account(reconcile_days=None)
    first = world.run(None, account)
    world.fill(1)
    world.graph.faults.add(
        path=path, times=None, fault=Fault.redirect(f"https://{HOST}:{stranger.port}/", status=status)
    )
    second = world.run(first.state, account)
    assert (3, [], 0) == (second.code, second.ids, stranger.connections)
    if "value" not in path:
        assert entry_of(first.state)["delta_link"] == folders(second)["Inbox"]["delta_link"]
    world.graph.faults.clear()
    assert ["0"] == world.run(second.state, account).ids


def test_one_message_that_redirects_blocks_nothing(world, stranger):
    """A redirect of one message is that message's trouble: it is pending, all others are read."""
    messages = world.fill(4)
    world.fill(["else"], world.box.folder("Archive"))
    world.graph.faults.add(
        path=messages[0].immutable_id[:-1],
        times=None,
        fault=Fault.redirect(f"https://{HOST}:{stranger.port}/"),
    )
    run = world.run(None, world.account(reconcile_days=None))
    assert (3, ["1", "2", "3", "else"]) == (run.code, sorted(run.ids))
    assert [messages[0].immutable_id] == entry_of(run.state)["pending"]
    assert 0 == stranger.connections


def test_links_of_a_listing_and_of_folders(world, stranger):
    """The links of other collections are checked as those of delta."""
    world.fill(3)
    page = {"value": [], "@odata.nextLink": f"https://{HOST}:{stranger.port}/v1.0/me/mailFolders"}
    for path in (r"/mailFolders\?", r"/messages\?"):
        world.graph.faults.clear()
        world.graph.faults.add(path=path, times=None, fault=Fault.body(json.dumps(page).encode()))
        run = world.run(None, world.account(reconcile_days=0))
        assert (3, 0) == (run.code, stranger.connections)


def test_untrusted_certificate(world):
    """A server whose certificate nobody vouches for gets no token, and the error says what to do."""
    with GraphServer() as other:
        other.new_mailbox("ann@outlook.example")
        run = world.run(None, world.account(graph_url=other.url))
        assert (3, []) == (run.code, other.log)
    (failure,) = run.report("ann").failures
    assert "ca_file" in failure
    assert urlsplit(other.url).netloc not in failure
