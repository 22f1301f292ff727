"""A Graph mailbox is read once, whole, into the same record as any other."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from pathlib import Path

import jsonschema
import pytest

from tap_mailbox.schema import load_schema
from tests.tap.graph.world import folders
from tests.tap.runs import mail

NOON = dt.datetime(2026, 6, 5, 12, 0, 0, 700_000, tzinfo=dt.UTC)


def test_first_and_second_run(world):
    """The first run reads everything, the second nothing; the link is in the bookmark."""
    world.write_token({**world.token_file, "access_token": "fake-old"})
    world.fill(3)
    first = world.run()
    assert 0 == first.code
    assert ["0", "1", "2"] == sorted(first.ids)
    entry = folders(first)["Inbox"]
    assert entry["delta_link"].startswith(world.graph.url)
    assert [] == entry["pending"]
    second = world.run(first.state)
    assert (0, []) == (second.code, second.records)
    assert [] == world.graph.throttle.violations


def test_many_pages(world):
    """Pages smaller than what was asked for, empty ones and items that come twice lose and double nothing."""
    world.graph.quirks.page_size_cap = 7
    world.graph.quirks.empty_pages = world.graph.quirks.duplicates = True
    world.fill(60)
    run = world.run()
    assert (0, sorted(map(str, range(60)))) == (run.code, sorted(run.ids))


@pytest.mark.parametrize(
    ("delivered", "flags", "labels"),
    [
        ({}, [], []),
        ({"read": True}, ["\\Seen"], []),
        ({"flagged": True}, ["\\Flagged"], []),
        ({"draft": True}, ["\\Draft"], []),
        ({"read": True, "flagged": True, "draft": True}, ["\\Seen", "\\Flagged", "\\Draft"], []),
        ({"categories": ("Red category", "Größe 📁")}, [], ["Red category", "Größe 📁"]),
    ],
)
def test_source_of_a_record(world, delivered, flags, labels):
    """Folder path, flags, categories, receivedDateTime and the immutable id stand in `source`."""
    folder = world.box.new_folder("Projects", parent=world.inbox)
    message = world.box.deliver(mail(1), folder=folder, received=NOON, **delivered)
    (record,) = world.run().records
    source = record["source"]
    assert source.pop("fetched_at").endswith("+00:00")
    assert source == {
        "protocol": "graph",
        "folder": "Inbox/Projects",
        "uid": None,
        "uidvalidity": None,
        "flags": flags,
        "labels": labels,
        "internal_date": "2026-06-05T12:00:00+00:00",
        "graph_id": message.immutable_id,
        "gmail_msgid": None,
        "gmail_thrid": None,
        "path": None,
    }


def test_octets_are_the_services(world):
    """`raw`, `size` and `raw_sha256` are of what `$value` gives, octet for octet; the record fits its schema."""
    octets = mail(1, body="Gr\xfc\xdfe\r\n\0\r\n.\r\n")
    world.box.deliver(octets)
    catalog = json.loads(json.dumps(world.run().tap.catalog.to_dict()))
    for entry in catalog["streams"][0]["metadata"]:
        entry["metadata"]["selected"] = True
    (record,) = world.run(catalog=catalog).records
    assert octets == base64.b64decode(record["raw"])
    assert (len(octets), hashlib.sha256(octets).hexdigest()) == (record["size"], record["raw_sha256"])
    jsonschema.validate(record, load_schema("message"))


@pytest.mark.parametrize(
    ("header", "source", "date"),
    [
        (b"Date: Fri, 05 Jun 2026 10:30:45 +0200\r\n", "header", "2026-06-05T08:30:45+00:00"),
        (b"Received: by a; Fri, 05 Jun 2026 11:00:00 +0000\r\n", "received", "2026-06-05T11:00:00+00:00"),
        (b"", "internal", "2026-06-05T12:00:00+00:00"),
    ],
)
def test_date(world, header, source, date):
    """The date is the Date field's, else that of Received, else receivedDateTime."""
    world.box.deliver(header + b"Message-ID: <1@example.org>\r\nSubject: x\r\n\r\nx\r\n", received=NOON)
    (record,) = world.run().records
    assert (source, date) == (record["date_source"], record["date"])


def test_mime_made_anew_is_the_same_message(world):
    """Outlook makes the MIME anew for each read; content_hash does not see its boundaries."""
    world.graph.quirks.mime_jitter = True
    edge = "----=_fake_boundary"
    picture = 'Content-Type: image/png; name="a.png"\r\n\r\npng'
    body = f"--{edge}\r\n\r\ntext\r\n--{edge}\r\n{picture}\r\n--{edge}--\r\n"
    kind = f'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{edge}"\r\n\r\n'
    world.box.deliver(mail(1, body=body).replace(b"\r\n\r\n", kind.encode(), 1))
    one, two = (world.run().records[0] for _ in range(2))
    assert one["raw_sha256"] != two["raw_sha256"]
    assert one["content_hash"] == two["content_hash"]


@pytest.mark.parametrize(
    ("start_date", "read"),
    [
        (None, ["before", "equal", "later"]),
        ("2026-06-05T12:00:00Z", ["equal", "later"]),
        ("2026-06-05T14:00:01+02:00", ["later"]),
        ("2026-06-05T12:00:02Z", []),
    ],
)
def test_start_date(world, start_date, read):
    """`start_date` is exact to the second, in the walk as in the listing that checks it."""
    for name, second in (("before", -1), ("equal", 0), ("later", 1)):
        world.fill([name], received=NOON + dt.timedelta(seconds=second))
    account = world.account(reconcile_days=0)
    run = world.run(None, account, start_date=start_date)
    assert (0, read) == (run.code, sorted(run.ids))
    # An older one that comes later is too old as well.
    world.fill(["late"], received=NOON - dt.timedelta(hours=1))
    again = world.run(run.state, account, start_date=start_date)
    assert (0, start_date is None) == (again.code, "late" in again.ids)


def test_ids_that_differ_only_in_case(world):
    """Ids are compared as they stand: two that differ in the case of a letter are two messages."""
    one, two = world.fill(2)
    assert one.immutable_id.lower() == two.immutable_id.lower()
    run = world.run()
    assert {one.immutable_id, two.immutable_id} == {each["source"]["graph_id"] for each in run.records}


def test_empty_mailbox(world):
    """A mailbox without a message is a complete run that leaves a link for every folder."""
    run = world.run()
    assert (0, []) == (run.code, run.records)
    assert all(entry["delta_link"] for entry in folders(run).values())
    assert "Drafts" not in folders(run)


def test_only_reading(world, tmp_path: Path):
    """The mailbox is as it was: nothing but GET, and no message is marked as read."""
    messages = world.fill(3)
    world.run()
    assert {"GET"} == {each.method for each in world.graph.log}
    assert not any(each.read for each in messages)
