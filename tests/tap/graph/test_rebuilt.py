"""A message whose MIME Graph cannot give is put together from what it can; only if that fails too it is pending."""

from __future__ import annotations

import hashlib
import json

import jsonschema
import pytest

from tap_mailbox.schema import load_schema
from tests.servers.graph import Attachment, Fault
from tests.tap.graph.world import account_of, entry_of
from tests.tap.runs import mail

PICTURE, REPORT = bytes(range(256)) * 3, b"%PDF-1.7 fake\r\n\0\xff"
INNER = b"Message-ID: <inner@example.org>\r\nSubject: Inner\r\n\r\nInner body\r\n"
LINES = INNER.replace(b"\r\n", b"\n")
"""An attached message is lines of text, whose ends are the transport's."""
LINK = Attachment("plan.xlsx", kind="reference", source_url="https://files.invalid/plan.xlsx")
FILES = (
    Attachment("Größe.pdf", raw=REPORT, content_type="application/pdf"),
    Attachment("inner", kind="item", raw=INNER),
    Attachment("dot.png", raw=PICTURE, content_type="image/png", content_id="dot@example.org", inline=True),
)
WHOLE = (
    b"Message-ID: <whole@example.org>\r\nDate: Fri, 05 Jun 2026 10:30:45 +0200\r\n"
    b"Received: by b; Fri, 05 Jun 2026 08:30:50 +0000\r\nReceived: by a; Fri, 05 Jun 2026 08:30:46 +0000\r\n"
    b'From: "Example, Ann" <ann@example.org>\r\nTo: Bob <bob@example.org>, carol@example.org\r\n'
    b"Cc: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\nSubject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\n"
    b"In-Reply-To: <before@example.org>\r\nReferences: <first@example.org> <before@example.org>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<p>H\xc3\xa4llo</p><script>alert(1)</script>\r\n"
)
REFUSALS = {
    "ErrorMimeContentConversionFailed": Fault.status(500, code="ErrorMimeContentConversionFailed"),
    "ErrorContentConversionFailed": Fault.status(400, code="ErrorContentConversionFailed"),
    "ErrorCorruptData": Fault.status(500, code="ErrorCorruptData"),
    "ErrorInvalidRecipients": Fault.status(500, code="ErrorInvalidRecipients"),
    "inner error": Fault.status(
        500, body=b'{"error":{"code":"InternalServerError","innerError":{"code":"errorCorruptData"}}}'
    ),
    "too large": Fault.status(504, body=b""),
    "cut": Fault.reset(),
    "405": Fault.status(405, code="ErrorInvalidRequest"),
}


def without_mime(world, message, fault=REFUSALS["ErrorCorruptData"]):
    """Let the octets of a message be refused, and nothing else of it."""
    path = rf"/messages/{message.immutable_id[:-1]}[^/]*/\$value"
    world.graph.faults.add(path=path, times=None, fault=fault)


@pytest.mark.parametrize("fault", REFUSALS.values(), ids=REFUSALS)
def test_what_the_fields_say(world, fault):
    """Fields, body, header fields and attachments with true digests; no octets, and the defect says so."""
    message = world.box.deliver(WHOLE, attachments=FILES, read=True)
    world.fill(2)
    without_mime(world, message, fault)
    run = world.run()
    assert (0, {"whole", "0", "1"}) == (run.code, set(run.ids))
    record = next(each for each in run.records if each["message_id"] == "<whole@example.org>")
    jsonschema.validate(record, load_schema("message"))
    assert ["mime-unavailable"] == record["defects"]
    assert (None, None, None) == (record.get("raw"), record["size"], record["raw_sha256"])
    assert ("Größe", "header", "2026-06-05T08:30:45+00:00") == (
        record["subject"], record["date_source"], record["date"],
    )  # fmt: skip
    assert ("ann@example.org", ["bob@example.org", "carol@example.org"], ["joerg@example.org"]) == (
        next(each["address"] for each in record["addresses"] if each["role"] == "from"),
        [each["address"] for each in record["addresses"] if each["role"] == "to"],
        [each["address"] for each in record["addresses"] if each["role"] == "cc"],
    )
    assert ("<before@example.org>", ["<first@example.org>", "<before@example.org>"]) == (
        record["in_reply_to"], record["references"],
    )  # fmt: skip
    # As the message has it: Outlook would take the script out.
    assert "<p>Hällo</p><script>alert(1)</script>" == record["body_html"].strip()
    assert [
        ("Größe.pdf", "application/pdf", "attachment", None, len(REPORT), hashlib.sha256(REPORT).hexdigest()),
        ("inner", "message/rfc822", "attachment", None, len(LINES), hashlib.sha256(LINES).hexdigest()),
        ("dot.png", "image/png", "inline", "dot@example.org", len(PICTURE), hashlib.sha256(PICTURE).hexdigest()),
    ] == [
        (each["filename"], each["content_type"], each["disposition"],
         (each["content_id"] or "").strip("<>") or None, each["size"], each["sha256"])
        for each in record["attachments"]
    ]  # fmt: skip
    assert 2 == sum(each["name"] == "Received" for each in record["headers"])
    assert {"name": "Subject", "value": "Größe"} in record["headers"]
    assert (message.immutable_id, ["\\Seen"]) == (record["source"]["graph_id"], record["source"]["flags"])
    assert [] == entry_of(run.state)["pending"]


def test_for_good_is_asked_once(world):
    """What the service cannot convert it cannot convert tomorrow: no second request for the octets."""
    (message,) = world.fill(1)
    without_mime(world, message)
    world.run()
    assert 1 == world.fetched()


def test_plain_text(world):
    """A body of plain text is text, whatever Outlook makes of it."""
    message = world.box.deliver(mail(1, body="1 < 2 & 3\r\n"))
    without_mime(world, message)
    (record,) = world.run().records
    assert "1 < 2 & 3" == record["body_text"].strip()


def test_without_message_id(world):
    """A message without a Message-ID gets one of its own, the same in every run."""
    message = world.box.deliver(b"From: ann@example.org\r\nSubject: x\r\n\r\nx\r\n")
    without_mime(world, message)
    (one,), (two,) = world.run().records, world.run().records
    assert one["message_id"].endswith("@missing.invalid>")
    assert "missing-message-id" in one["defects"]
    assert one["content_hash"] == two["content_hash"]


def reference(_):
    """A file in the cloud."""
    return (*FILES, LINK), 4, {"plan.xlsx"}


def unlisted(world):
    """A list of attachments that is refused."""
    world.graph.faults.add(path=r"/attachments\?", times=None, fault=Fault.status(403))
    return FILES, 0, set()


@pytest.mark.parametrize("what", [reference, unlisted])
def test_attachment_that_cannot_be_had(world, what):
    """The message comes without it, and says so."""
    attached, count, empty = what(world)
    message = world.box.deliver(WHOLE, attachments=attached)
    without_mime(world, message)
    run = world.run()
    (record,) = run.records
    assert 0 == run.code
    assert {"mime-unavailable", "attachment-unavailable"} == set(record["defects"])
    assert count == len(record["attachments"])
    assert empty == {each["filename"] for each in record["attachments"] if not each["size"]}


def test_one_attachment_is_refused(world):
    """The others are there whole."""
    message = world.box.deliver(WHOLE, attachments=FILES)
    without_mime(world, message)
    refusal = Fault.status(500, code="ErrorCannotOpenFileAttachment")
    seen = []

    def hook(request):
        if "/attachments/" in request.path and not seen:
            seen.append(request.path)
            world.graph.faults.add(path=seen[0].rpartition("/")[2], times=None, fault=refusal)

    world.graph.hook = hook
    run = world.run()
    (record,) = run.records
    assert (0, {"mime-unavailable", "attachment-unavailable"}) == (run.code, set(record["defects"]))
    assert 1 == sum(not each["size"] for each in record["attachments"])
    assert 3 == len(record["attachments"])


def test_attachment_that_may_come(world):
    """An attachment the service has no answer about makes the message pending first; then what there is will do."""
    message = world.box.deliver(WHOLE, attachments=FILES)
    without_mime(world, message)
    world.graph.faults.add(path="/attachments/", times=None, fault=Fault.status(504))
    first = world.run()
    assert (3, []) == (first.code, first.records)
    assert [message.immutable_id] == entry_of(first.state)["pending"]
    second = world.run(first.state)
    assert (0, ["whole"]) == (second.code, second.ids)
    assert "attachment-unavailable" in second.records[0]["defects"]
    assert [] == entry_of(second.state)["pending"]


@pytest.fixture
def pending(world):
    """A run that could have nothing of one message of five, and everything of the others."""
    messages = world.fill(5)
    world.graph.faults.add(
        path=f"/messages/{messages[2].immutable_id[:-1]}",
        times=None,
        fault=Fault.status(403, code="ErrorAccessDenied"),
    )
    run = world.run(None, world.account(reconcile_days=None))
    assert (3, {"0", "1", "3", "4"}) == (run.code, set(run.ids))
    assert [messages[2].immutable_id] == entry_of(run.state)["pending"]
    assert entry_of(run.state)["delta_link"]
    return run, messages[2]


def test_pending_comes_first(world, pending):
    """In every run it is asked for before anything else, and makes the run partial until it is had."""
    run, message = pending
    world.fill(["new"])
    again = world.run(run.state, world.account(reconcile_days=None))
    assert (3, ["new"]) == (again.code, again.ids)
    assert [message.immutable_id] == entry_of(again.state)["pending"]
    assert 1 == again.report("ann").pending
    world.graph.faults.clear()
    world.graph.log.clear()
    world.fill(["newer"])
    world.graph.quirks.latency = 0.02
    healed = world.run(again.state, world.account(reconcile_days=None))
    assert (0, ["2", "newer"]) == (healed.code, sorted(healed.ids))
    assert [] == entry_of(healed.state)["pending"]
    about = [each.path for each in world.graph.log if "/messages/" in each.path and "delta" not in each.path]
    assert message.immutable_id[:-1] in about[0]


def test_pending_that_is_no_more(world, pending):
    """A pending message that was deleted is dropped."""
    run, message = pending
    world.box.purge(message)
    world.graph.faults.clear()
    again = world.run(run.state, world.account(reconcile_days=None))
    assert (0, [], []) == (again.code, again.records, entry_of(again.state)["pending"])


def test_pending_that_moved(world, pending):
    """One that lies in another folder is read from there, be it one that is not read otherwise."""
    run, message = pending
    world.graph.faults.clear()
    world.box.move(message, world.box.folder("Archive"))
    moved = world.run(run.state, world.account(reconcile_days=None))
    assert (0, ["2"], []) == (moved.code, moved.ids, entry_of(moved.state)["pending"])
    assert "Archive" == moved.records[0]["source"]["folder"]
    world.box.delete(message)
    deleted = world.run(run.state, world.account(reconcile_days=None))
    assert (0, ["2"], []) == (deleted.code, deleted.ids, entry_of(deleted.state)["pending"])


@pytest.mark.parametrize("pending_ids", [["AAkALgAAAAAAfake="], ["", "/../..", "a?b#c", "Größe"]])
def test_pending_that_never_was(world, pending_ids):
    """Ids that somebody put there and the service does not know are dropped; none leaves its path segment."""
    world.fill(1)
    state = world.run().state
    entry_of(state)["pending"] = pending_ids
    world.graph.log.clear()
    run = world.run(state)
    assert 0 == run.code or "" in pending_ids
    assert [] == world.asked(r"\.\./\.\.")


@pytest.mark.parametrize("broken", [9, 10, 11])
def test_ten_in_a_row(world, broken):
    """Ten refusals in a row are no matter of single messages: the account ends, its link stays."""
    messages = world.fill(broken)
    for each in messages:
        world.graph.faults.add(
            path=f"/messages/{each.immutable_id[:-1]}",
            times=None,
            fault=Fault.status(403, code="ErrorAccessDenied"),
        )
    run = world.run(None, world.account(reconcile_days=None))
    ended = broken >= 10
    assert (3, []) == (run.code, run.records)
    assert ended is any("in a row" in each for each in run.report("ann").failures)
    assert ended is not bool(entry_of(run.state).get("delta_link"))
    world.graph.faults.clear()
    healed = world.run(json.loads(json.dumps(run.state)), world.account(reconcile_days=None))
    assert (0, broken) == (healed.code, len(healed.ids))
    assert all(entry["pending"] == [] for entry in account_of(healed.state)["folders"].values())


@pytest.mark.parametrize("body", [{}, {"body": "text"}, {"body": []}])
def test_without_the_body(world, body):
    """Fields without a body are what Mail.ReadBasic gives: no message is put together of them, it is pending."""
    message = world.box.deliver(WHOLE)
    without_mime(world, message)
    fields = json.dumps({"id": message.immutable_id, "subject": "Größe", **body}).encode()
    world.graph.faults.add(path=r"\$select=id,subject", times=None, fault=Fault.body(fields))
    state = None
    for _ in range(2):
        run = world.run(state)
        assert (3, [], 1) == (run.code, run.ids, len(entry_of(run.state)["pending"]))
        state = run.state


def test_null_body(world):
    """A body that is null is an empty one: the message is put together of the rest."""
    message = world.box.deliver(WHOLE)
    without_mime(world, message)
    fields = json.dumps({"id": message.immutable_id, "subject": "Größe", "body": None}).encode()
    world.graph.faults.add(path=r"\$select=id,subject", times=None, fault=Fault.body(fields))
    run = world.run()
    assert (0, ["Größe"]) == (run.code, [record["subject"] for record in run.records])
