"""Every way an answer can fail, at every place: nothing lost, nothing twice, the exit code right."""

from __future__ import annotations

import json
import ssl
import urllib.request

import pytest

from tap_mailbox.sources.graph import client
from tests.servers.graph import Fault
from tests.tap.graph.world import ANN, account_of, entry_of

SITES = {
    "first request": r"/mailFolders/inbox\?",
    "well-known folder": r"/mailFolders/archive\?",
    "folders": r"/mailFolders\?",
    "folders below": r"/childFolders\?",
    "page": r"/messages/delta",
    "message": r"/\$value",
    "messages": r"/me/messages/",
    "delta and listing": r"/mailFolders.*/messages",
}
SIX = {*map(str, range(6))}
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"

GATEWAY = Fault.status(404, body=HTML, content_type="text/html")

ONCE = {
    "401": Fault.status(401, code="InvalidAuthenticationToken"),
    "401 claims": Fault.insufficient_claims("eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="),
    "404 of a gateway": GATEWAY,
    "404 empty": Fault.status(404, body=b""),
    "408": Fault.status(408),
    "429 integer": Fault.status(429, code="TooManyRequests", retry_after=1),
    "429 fractional": Fault.status(429, code="ApplicationThrottled", retry_after="0.128"),
    "429 zero": Fault.status(429, retry_after=0),
    "429 nonsense": Fault.status(429, retry_after="soon"),
    "429 absent": Fault.status(429, code="ApplicationThrottled"),
    "429 empty": Fault.status(429, body=b""),
    "500": Fault.status(500, code="InternalServerError"),
    "502": Fault.status(502, body=HTML, content_type="text/html"),
    "503": Fault.status(503, body=b"", retry_after="0.05"),
    "504": Fault.status(504, body=HTML, content_type="text/html", after=0.05),
    "509": Fault.status(509, code="BandwidthLimitExceeded"),
    "reset": Fault.reset(),
    "cut": Fault.truncate(15),
    "cut at once": Fault.truncate(0),
    "cut with a length": Fault.truncate(15, framing="length"),
    "cut without a length": Fault.truncate(15, framing="missing"),
    "drop by drop": Fault.slow(20_000),
}
NO_JSON = {
    "html": Fault.body(HTML, content_type="text/html"),
    "empty": Fault.body(b""),
    "half": Fault.body(b'{"value": [{"id": "'),
    "list": Fault.body(b"[]"),
    "null": Fault.body(b"null"),
    "not utf-8": Fault.body(b'{"value": "\xff\xfe"}'),
    "nan": Fault.body(b'{"value": nan}'),
    "deep": Fault.body(b"[" * 100_000),
}


def few(world, **more):
    """Return Ann's account reduced to her Inbox, for runs that are many."""
    return world.account(reconcile_days=None, folders={"include": ["\\Inbox"]}, **more)


def one_by_one():
    """Yield every fault with every place where it can stand."""
    early = {"401", "429 fractional", "500", "502", "reset", "cut", "html", "deep"}
    for name, fault in {**ONCE, **NO_JSON}.items():
        sites = [
            "page",
            *(["message"] if name in ONCE else []),
            *(["first request", "folders"] if name in early else []),
        ]
        for site in sites:
            yield pytest.param(site, fault, id=f"{name}-{site}")


@pytest.mark.parametrize(("site", "fault"), list(one_by_one()))
def test_once(world, site, fault):
    """What passes is asked again, after the wait that was asked for; the run is complete."""
    messages = world.fill(6)
    world.graph.quirks.page_size_cap = 4
    world.graph.faults.add(path=SITES[site], nth=2 if site in {"page", "message"} else 1, fault=fault)
    bookmark: dict = {}
    source = world.source(bookmark, reconcile_days=None, folders={"include": ["\\Inbox"]})
    handed = [each for each in source.messages() if hasattr(each, "octets")]
    assert [] == source.report.failures
    assert {each.immutable_id: each.raw for each in messages} == {
        each.seen.graph_id: each.octets for each in handed
    }
    assert 6 == len(handed)
    assert [] == world.graph.throttle.violations


def real_page(world) -> dict:
    """Return the Inbox's first page as the service would give it."""
    token = world.graph.issue_token(ANN)
    headers = {"Authorization": f"Bearer {token}", "Prefer": 'IdType="ImmutableId"'}
    request = urllib.request.Request(
        f"{world.graph.url}/me/mailFolders/{world.inbox.id}/messages/delta"
        "?$select=id,receivedDateTime,parentFolderId,isRead,isDraft,flag,categories",
        headers=headers,
    )
    context = ssl.create_default_context(cafile=str(world.graph.ca_file))
    with urllib.request.urlopen(request, context=context) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda page: b"\xef\xbb\xbf" + page, id="byte order mark"),
        pytest.param(lambda page: page[:-1] + b', "value": []}', id="second value empty"),
        pytest.param(lambda page: b'{"value": [], ' + page[1:], id="first value empty"),
        pytest.param(lambda page: page.replace(b'"id":', b'"id": "fake", "id":'), id="two ids"),
        pytest.param(lambda page: b"\n \t" + page + b"\n\n", id="white space"),
    ],
)
def test_odd_json(world, spoil):
    """A byte order mark is passed over; an answer that says two things is no answer, and asked for again."""
    world.fill(6)
    page = json.dumps(real_page(world)).encode()
    world.graph.faults.add(path=rf"{world.inbox.id[:-1]}.*/messages/delta", fault=Fault.body(spoil(page)))
    run = world.run(None, few(world))
    assert (0, SIX) == (run.code, set(run.ids))
    assert 6 == len(run.ids)


ALWAYS = [
    # A token that is refused twice, a service that is down: the account ends, and goes on in the next run.
    ("first request", Fault.status(401), 3, set()),
    ("page", Fault.status(401), 3, set()),
    ("message", Fault.status(401), 3, set()),
    ("first request", Fault.status(403, code="ErrorAccessDenied"), 3, set()),
    ("first request", Fault.status(404, code="MailboxNotEnabledForRESTAPI"), 3, set()),
    ("first request", Fault.status(404, code="ErrorInvalidUser"), 3, set()),
    ("first request", Fault.status(503, body=b""), 3, set()),
    ("first request", Fault.status(500), 3, set()),
    ("first request", Fault.reset(), 3, set()),
    ("folders", Fault.status(403), 3, set()),
    ("folders", Fault.status(500), 3, set()),
    ("folders", Fault.status(504), 3, set()),
    ("folders", Fault.body(b"{}"), 3, set()),
    ("folders below", Fault.status(500), 3, set()),
    ("folders below", Fault.status(404, code="ErrorItemNotFound"), 0, SIX),
    # A gateway's 404 is no word of Graph's: nothing counts as gone.
    ("first request", GATEWAY, 3, set()),
    ("well-known folder", GATEWAY, 3, set()),
    ("folders", GATEWAY, 3, set()),
    ("folders below", GATEWAY, 3, set()),
    ("folders below", Fault.status(404, code="UnknownError"), 3, set()),
    ("folders below", Fault.status(404, code="MailboxNotEnabledForRESTAPI"), 3, set()),
    ("delta and listing", GATEWAY, 3, set()),
    ("delta and listing", Fault.status(404, code="UnknownError"), 3, set()),
    ("page", GATEWAY, 0, SIX),
    ("well-known folder", Fault.status(404, code="ErrorFolderNotFound"), 0, SIX),
    ("page", Fault.status(502, body=HTML), 3, set()),
    ("page", Fault.reset(), 3, set()),
    ("page", Fault.body(b"[]"), 3, set()),
    # Delta cannot, the listing can.
    ("page", Fault.status(400, code="BadRequest"), 0, SIX),
    ("page", Fault.status(403, code="ErrorAccessDenied"), 0, SIX),
    ("page", Fault.status(403, code="ErrorQuotaExceeded"), 0, SIX),
    ("page", Fault.status(405), 0, SIX),
    ("page", Fault.status(410, code="SyncStateNotFound"), 0, SIX),
    ("page", Fault.status(500), 0, SIX),
    ("page", Fault.status(501), 0, SIX),
    # The octets cannot, the fields can.
    ("message", Fault.status(403, code="ErrorAccessDenied"), 0, SIX),
    ("message", Fault.status(405), 0, SIX),
    ("message", Fault.status(500), 0, SIX),
    ("message", Fault.status(504), 0, SIX),
    ("message", Fault.reset(), 0, SIX),
    ("message", Fault.truncate(10), 0, SIX),
    ("message", Fault.status(404, code="ErrorItemNotFound"), 0, SIX),
    ("message", GATEWAY, 0, SIX),
    ("message", Fault.body(b""), 0, SIX),
    # Neither the octets nor the fields, nor a word of Graph's that there are none.
    ("messages", GATEWAY, 3, set()),
    ("messages", Fault.status(404, code="UnknownError"), 3, set()),
    ("messages", Fault.status(404, code="MailboxNotEnabledForRESTAPI"), 3, set()),
    # Gone when it is fetched.
    ("messages", Fault.status(404, code="ErrorItemNotFound"), 0, set()),
]  # fmt: skip


@pytest.mark.parametrize(("site", "fault", "code", "read"), ALWAYS)
def test_always(world, site, fault, code, read):
    """What does not pass has its own exit code, and the next run makes up for it."""
    world.graph.faults.add(path=SITES[site], times=None, fault=fault)
    world.fill(6)
    first = world.run(None, few(world))
    assert (code, read) == (first.code, set(first.ids))
    assert len(read) == len(first.ids)
    if code and site != "messages":
        assert not any(each.get("delta_link") for each in account_of(first.state).get("folders", {}).values())
    world.graph.faults.clear()
    second = world.run(first.state, few(world))
    assert 0 == second.code
    if code:
        assert sorted(SIX) == sorted(second.ids)


def test_second_half_fails(world):
    """A service that goes down in the middle keeps what was read, and the next run goes on behind it."""
    world.fill(40)
    world.graph.quirks.page_size_cap = 5
    world.graph.faults.add(path="/me/", nth=60, times=None, fault=Fault.status(503))
    first = world.run(None, few(world))
    assert 3 == first.code
    assert 0 < len(first.ids) < 40
    assert entry_of(first.state)["next_link"]
    world.graph.faults.clear()
    world.graph.quirks.generations = 100
    second = world.run(first.state, few(world))
    assert (0, 40) == (second.code, len({*first.ids, *second.ids}))
    assert len(second.ids) < 40


def test_drips(world, monkeypatch):
    """An answer that drips for longer than anybody has patience is broken off and asked for again."""
    monkeypatch.setattr(client, "_PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(client, "_SLOWEST_OCTETS_PER_SECOND", 1_000_000)
    world.fill(6)
    world.graph.faults.add(path=r"/\$value", nth=3, fault=Fault.slow(100))
    run = world.run(None, few(world))
    assert (0, SIX) == (run.code, set(run.ids))
    assert 7 == world.fetched()


def test_silent_service(world):
    """A service that accepts and says nothing costs `read_timeout`, no more, and is asked again."""
    world.fill(6)
    world.graph.faults.add(path=r"/\$value", nth=3, fault=Fault.delay(1.5))
    run = world.run(None, few(world, read_timeout=0.3))
    assert (0, SIX) == (run.code, set(run.ids))
    assert 7 == world.fetched()
