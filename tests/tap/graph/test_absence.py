"""What is there counts as gone on Graph's own word alone, twice given; nothing else is taken for a message."""

from __future__ import annotations

import pytest

from tests.servers.graph import Attachment, Fault
from tests.tap.graph.world import entry_of

FIVE = {*map(str, range(5))}
PAGE = b"<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"
NOT_FOUND = Fault.status(404, code="ErrorItemNotFound")
NO_ABSENCE = {
    "404 of a gateway": Fault.status(404, body=PAGE, content_type="text/html"),
    "404 empty": Fault.status(404, body=b""),
    "404 of another code": Fault.status(404, code="UnknownError"),
    "404 of no code": Fault.status(404, body=b'{"error": {}}'),
    "404 of the mailbox": Fault.status(404, code="ResourceNotFound"),
}
NO_MESSAGE = {
    "empty": Fault.body(b"", content_type="text/plain"),
    "blank": Fault.body(b" \r\n\r\n", content_type="text/plain"),
    "page": Fault.body(PAGE, content_type="text/html; charset=utf-8"),
    "xhtml": Fault.body(PAGE, content_type="application/xhtml+xml"),
    "error": Fault.body(b'{"error": {"code": "x"}}', content_type="application/json; odata.metadata=minimal"),
    "problem": Fault.body(b'{"title": "x"}', content_type="application/problem+json"),
}
SAYS_MISSING = ["ErrorItemNotFound", "itemNotFound", "ErrorInvalidMailboxItemId"]


def about(message) -> str:
    """Return the pattern of every request about a message."""
    return f"/messages/{message.immutable_id[:-1]}"


def octets(message) -> str:
    """Return the pattern of the request for its octets."""
    return rf"{about(message)}[^/]*/\$value"


def listed(state) -> int:
    """Return how many messages the Inbox's listing has."""
    return sum(int(text.partition("-")[0]) for text in entry_of(state)["listing"].values())


@pytest.mark.parametrize(
    ("times", "fault", "defects"),
    [
        *(pytest.param(None, each, ["mime-unavailable"], id=f"always {name}")
          for name, each in (NO_ABSENCE | NO_MESSAGE).items()),
        *(pytest.param(1, each, [], id=f"once {name}") for name, each in NO_MESSAGE.items()),
        *(pytest.param(None, Fault.status(404, code=code), ["mime-unavailable"], id=f"always {code}") for code in SAYS_MISSING),
        *(pytest.param(1, Fault.status(404, code=code), [], id=f"once {code}") for code in SAYS_MISSING),
    ],
)  # fmt: skip
def test_message_that_is_there(world, times, fault, defects):
    """Whatever stands for its octets, the message comes: with them when they come after all, else by its fields."""
    messages = world.fill(5)
    world.graph.faults.add(path=octets(messages[2]), times=times, fault=fault)
    account = world.account(reconcile_days=0)
    run = world.run(None, account)
    assert (0, FIVE, 5) == (run.code, set(run.ids), len(run.ids))
    (record,) = (each for each in run.records if each["message_id"] == "<2@example.org>")
    assert defects == record["defects"]
    assert 0 == run.report("ann").vanished
    world.graph.faults.clear()
    again = world.run(run.state, account)
    assert (0, [], 5) == (again.code, again.ids, listed(again.state))


@pytest.mark.parametrize("fault", NO_ABSENCE.values(), ids=NO_ABSENCE)
@pytest.mark.parametrize("how", ["walk", "round", "listing", "removed"])
def test_refusal_is_no_absence(world, how, fault):
    """A message of which nothing can be had, and which Graph does not call gone, is pending until it is had."""
    account = world.account(reconcile_days=None)
    state = None if how == "walk" else world.run(None, account).state
    message, *_ = world.fill(5)
    if how == "removed":
        world.box.move(message, world.box.folder("Archive"))
        world.graph.quirks.lost_move_in = True
    world.graph.quirks.quota_on_delta = how == "listing"
    world.graph.faults.add(path=about(message), times=None, fault=fault)
    run = world.run(state, account)
    assert (3, FIVE - {"0"}, 0) == (run.code, set(run.ids), run.report("ann").vanished)
    assert [message.immutable_id] == entry_of(run.state)["pending"]
    world.graph.faults.clear()
    mended = world.run(run.state, account)
    # A round that was never finished begins anew.
    assert (0, FIVE if how == "listing" else {"0"}) == (mended.code, set(mended.ids))
    assert [] == entry_of(mended.state)["pending"]


@pytest.mark.parametrize("code", SAYS_MISSING)
@pytest.mark.parametrize("how", ["walk", "listing", "pending"])
def test_absence_that_was_untrue(world, how, code):
    """Where Graph itself says twice of a message that is there that it is not, the next comparison finds it."""
    account = world.account(reconcile_days=0)
    messages = world.fill(5)
    missing = Fault.status(404, code=code)
    state = None
    if how == "pending":
        world.graph.faults.add(path=about(messages[2]), times=None, fault=Fault.status(403))
        state = world.run(None, world.account(reconcile_days=None)).state
        assert [messages[2].immutable_id] == entry_of(state)["pending"]
        world.graph.faults.clear()
    world.graph.quirks.quota_on_delta = how == "listing"
    world.graph.faults.add(path=about(messages[2]), times=None, fault=missing)
    run = world.run(state, account)
    assert (0, []) == (run.code, entry_of(run.state)["pending"])
    assert "2" not in run.ids
    world.graph.faults.clear()
    mended = world.run(run.state, account)
    assert 0 == mended.code
    assert "2" in mended.ids
    world.graph.quirks.quota_on_delta = False
    again = world.run(mended.state, account)
    assert (0, [] if how != "listing" else sorted(FIVE)) == (again.code, sorted(again.ids))
    assert [] == world.run(again.state, account).ids


@pytest.mark.parametrize("removed", [False, True])
def test_gone_between_its_requests(world, removed):
    """A message that is purged when its octets are asked for is looked up, gone, and no failure."""
    account = world.account(reconcile_days=0)
    state = world.run(None, account).state
    message, *_ = world.fill(5)
    if removed:
        world.box.move(message, world.box.folder("Archive"))
        world.graph.quirks.lost_move_in = True

    def hook(request):
        if message.immutable_id[:-1] in request.path and "$value" in request.path:
            world.graph.hook = None
            world.box.purge(message)

    world.graph.hook = hook
    world.graph.log.clear()
    run = world.run(state, account)
    assert (0, FIVE - {"0"}) == (run.code, set(run.ids))
    assert int(not removed) == run.report("ann").vanished
    assert about(message) in world.asked(about(message))[-1].path
    assert "$value" not in world.asked(about(message))[-1].path


def test_gone_when_its_fields_are_asked(world):
    """So is one that has no octets, and is purged before its fields are asked for."""
    message, *_ = world.fill(5)
    world.graph.faults.add(path=octets(message), times=None, fault=Fault.status(500, code="ErrorCorruptData"))

    def hook(request):
        if "select=id,subject" in request.target:
            world.graph.hook = None
            world.box.purge(message)

    world.graph.hook = hook
    run = world.run()
    assert (0, FIVE - {"0"}, 1) == (run.code, set(run.ids), run.report("ann").vanished)


@pytest.mark.parametrize("site", [r"/users/[^/?]+/mailFolders/inbox", r"/users\?"])
@pytest.mark.parametrize("status", [403, 404])
def test_gateway_before_an_organisation(world, site, status):
    """A gateway's refusal says nothing of a mailbox: under `*` too it is a failure, and not passed over."""
    world.fill(2)
    page = Fault.status(status, body=PAGE, content_type="text/html")
    world.graph.faults.add(path=site, times=None, fault=page)
    organisation = world.organisation(mailboxes="*")
    run = world.run(None, organisation)
    assert (3, []) == (run.code, run.ids)
    world.graph.faults.clear()
    mended = world.run(None, organisation)
    assert (0, ["0", "1"]) == (mended.code, sorted(mended.ids))


@pytest.mark.parametrize(
    ("site", "fault"),
    [
        (r"/attachments\?", NO_ABSENCE["404 of a gateway"]),
        (r"/attachments/[^/]+/\$value", NO_ABSENCE["404 of a gateway"]),
        (r"/attachments/[^/]+/\$value", NO_MESSAGE["page"]),
        (r"/attachments/[^/]+/\$value", NO_MESSAGE["empty"]),
    ],
)
def test_attached_message(world, site, fault):
    """What a gateway says of an attached message is not taken for it: pending first, then what there is will do."""
    inner = Attachment("inner", kind="item", raw=b"Message-ID: <inner@example.org>\r\n\r\nx\r\n")
    message = world.box.deliver(b"Message-ID: <outer@example.org>\r\n\r\nx\r\n", attachments=[inner])
    world.graph.faults.add(path=octets(message), times=None, fault=Fault.status(500, code="ErrorCorruptData"))
    world.graph.faults.add(path=site, times=None, fault=fault)
    account = world.account(reconcile_days=None)
    first = world.run(None, account)
    assert (3, [], [message.immutable_id]) == (first.code, first.ids, entry_of(first.state)["pending"])
    second = world.run(first.state, account)
    assert (0, ["outer"]) == (second.code, second.ids)
    assert "attachment-unavailable" in second.records[0]["defects"]


def test_gateway_before_a_link(world):
    """A gateway's 404 says nothing of a delta link: the folder is not read again, and the link is kept."""
    account = world.account(reconcile_days=None)
    world.fill(3)
    first = world.run(None, account)
    world.graph.faults.add(path="messages/delta", times=None, fault=NO_ABSENCE["404 of a gateway"])
    second = world.run(first.state, account)
    assert (0, []) == (second.code, second.ids)
    assert not any("forgotten" in each for each in second.report("ann").warnings)
    assert entry_of(first.state)["delta_link"] == entry_of(second.state)["delta_link"]
    world.fill(["new"])
    world.graph.faults.clear()
    assert ["new"] == world.run(second.state, account).ids
