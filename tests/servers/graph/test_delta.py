"""The Graph simulator tracks changes as the documents say, and as the issues say it does (D1 to D9)."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import Any

import pytest

from tests.servers.graph import Folder, GraphServer, Mailbox, Message
from tests.servers.graph.mails import MAIL
from tests.servers.graph.plain_client import IMMUTABLE, PlainClient

INBOX = "/me/mailFolders/inbox/messages/delta"
SELECT = f"{INBOX}?$select=subject,receivedDateTime,isRead,parentFolderId"


def fill(box: Mailbox, count: int = 7, folder: Folder | None = None) -> list[Message]:
    return [box.deliver(MAIL, folder=folder) for _ in range(count)]


def present(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items if "@removed" not in item]


def removed(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items if item.get("@removed") == {"reason": "deleted"}]


def test_a_round_gives_everything_once(box: Mailbox, client: PlainClient) -> None:
    """D1, D3: in pages, not in the order of arrival; only the last has a deltaLink, and it begins the next."""
    sent = fill(box)
    pages = client.pages(SELECT, "odata.maxpagesize=3")
    assert [3, 3, 1] == [len(page["value"]) for page in pages]
    assert [False, False, True] == ["@odata.deltaLink" in page for page in pages]
    assert [True, True, False] == ["@odata.nextLink" in page for page in pages]
    found = [item["id"] for page in pages for item in page["value"]]
    assert sorted(message.id for message in sent) == sorted(found)
    assert found not in ([each.id for each in sent], [each.id for each in reversed(sent)])
    items, link = client.walk(pages[-1]["@odata.deltaLink"])
    assert ([], True) == (items, bool(link))


def test_what_happens_during_a_round_is_in_the_next(box: Mailbox, client: PlainClient) -> None:
    """D1, D9: pages are of the moment the round began; nothing is lost."""
    fill(box)
    first = client.json(SELECT, "odata.maxpagesize=2")
    late = box.deliver(MAIL)
    rest, link = client.walk(first["@odata.nextLink"], "odata.maxpagesize=2")
    assert (7, False) == (len(first["value"] + rest), late.id in present(rest))
    assert [late.id] == present(client.walk(link)[0])


def test_a_page_shows_what_has_moved_since(box: Mailbox, client: PlainClient) -> None:
    """D1: with the id that it had; a mutable one is no longer good for anything."""
    sent = fill(box)
    for message in sent:
        box.mark_read(message)
    first = client.json(SELECT, "odata.maxpagesize=1")
    (before,) = first["value"]
    moved = next(message for message in sent if message.id != before["id"])
    old = moved.id
    box.move(moved, box.folder("archive"))
    rest, link = client.walk(first["@odata.nextLink"])
    (shown,) = (item for item in rest if item["id"] == old)
    assert box.folder("inbox").id == shown["parentFolderId"]
    assert (404, "ErrorItemNotFound") == client.error(f"/me/messages/{old}")
    assert [old] == removed(client.walk(link)[0])


def test_links_are_opaque_and_bound(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D2: long, spelled in another way than the first URL; refused elsewhere, changed, or with more options."""
    fill(box)
    link = client.json(SELECT, "odata.maxpagesize=3")["@odata.nextLink"]
    path, _, token = link.partition("?$skiptoken=")
    assert path.endswith(f"/me/mailFolders('{box.folder('inbox').id}')/messages/delta")
    assert len(token) >= 100
    other = graph.new_mailbox("bob@outlook.example")
    changed = token[:-30] + ("B" if token[-30] == "A" else "A") + token[-29:]
    as_other = PlainClient(graph, other.address)
    for asking, bad in (
        (client, f"{link}&$select=id"),
        (client, f"{link}&$top=5"),
        (client, link.replace(box.folder("inbox").id, box.folder("drafts").id)),
        (client, f"{path}?$skiptoken={changed}"),
        (client, f"{path}?$skiptoken=nonsense"),
        (as_other, f"/me/mailFolders/inbox/messages/delta?$skiptoken={token}"),
    ):
        assert (400, "BadRequest") == asking.error(bad)
    assert 3 == len(client.json(link, "odata.maxpagesize=3")["value"])
    as_other.close()


def test_delta_links_carry_either_name(box: Mailbox, client: PlainClient) -> None:
    """D2: nobody can tell links apart by their token's name."""
    links = [client.walk(SELECT)[1] for _ in range(2)]
    assert {"$deltatoken", "$skiptoken"} == {
        name for link in links for name in re.findall(r"\?(\S+?)=", link)
    }


@pytest.mark.parametrize("prefer", ["", IMMUTABLE])
def test_moves_are_a_removal_here_and_an_arrival_there(
    box: Mailbox, client: PlainClient, prefer: str
) -> None:
    """D4: in the id form of the request (H1); so is a purge, without the arrival."""
    moved, purged, read = fill(box, 3)
    old = moved.id_as(immutable=bool(prefer)), purged.id_as(immutable=bool(prefer))
    links = {
        name: client.walk(f"/me/mailFolders/{name}/messages/delta", prefer)[1]
        for name in ("inbox", "archive")
    }
    box.move(moved, box.folder("archive"))
    box.purge(purged)
    box.mark_read(read)
    source, _ = client.walk(links["inbox"], prefer)
    target, _ = client.walk(links["archive"], prefer)
    assert (sorted(old), [read.id_as(immutable=bool(prefer))]) == (sorted(removed(source)), present(source))
    assert ([], [moved.id_as(immutable=bool(prefer))]) == (removed(target), present(target))
    assert (old[0] == present(target)[0]) == bool(prefer)
    assert "Grüße" == target[0]["subject"]


@pytest.mark.parametrize(("share", "partial"), [(0.0, 0), (0.5, None), (1.0, 20)])
def test_a_read_toggle_may_come_as_three_properties(
    graph: GraphServer, box: Mailbox, client: PlainClient, share: float, partial: int | None
) -> None:
    """D5: whatever was selected; and never when something else changed too."""
    graph.quirks.partial_updates = share
    sent = fill(box, 21)
    link = client.walk(SELECT)[1]
    for message in sent:
        box.mark_read(message)
    box.flag(sent[0])
    kinds = Counter(frozenset(item) - {"@odata.type"} for item in client.walk(link)[0])
    short = frozenset({"@odata.etag", "id", "isRead", "parentFolderId"})
    assert kinds[short] == partial if partial is not None else 0 < kinds[short] < 20
    assert 21 == kinds.total()


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("$top=2", 2),
        ("$filter=receivedDateTime ge 2026-01-01", 5),
        ("$filter=receivedDateTime gt 2027-01-01", 0),
        ("", 9),
    ],
)
def test_filters_and_top_lose_mail_in_silence(
    graph: GraphServer, box: Mailbox, client: PlainClient, options: str, count: int
) -> None:
    """D6: what they cut off is in no later round either."""
    graph.quirks.filter_cap = 5
    fill(box, 9)
    items, link = client.walk(f"{INBOX}?{options}")
    assert (count, []) == (len(items), client.walk(link)[0])


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ("$filter=isRead eq true", (400, "BadRequest")),
        ("$filter=receivedDateTime lt 2026-01-01", (400, "BadRequest")),
        ("$orderby=receivedDateTime", (400, "BadRequest")),
        ("$orderby=subject desc", (400, "BadRequest")),
        ("$select=id,@removed", (400, "RequestBroker--ParseUri")),
        ("$search=x", (400, "ErrorInvalidUrlQuery")),
        ("$skip=1", (400, "ErrorInvalidUrlQuery")),
        ("changeType=nonsense", (400, "BadRequest")),
    ],
)
def test_options_that_delta_does_not_take(
    box: Mailbox, client: PlainClient, options: str, refusal: tuple[int, str]
) -> None:
    """1.2: what is not documented is refused."""
    assert refusal == client.error(f"{INBOX}?{options}")


def test_orders_and_kinds_that_delta_takes(box: Mailbox, client: PlainClient) -> None:
    """1.2: newest first; `changeType`, which the links remember."""
    day = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    sent = [box.deliver(MAIL, received=day + dt.timedelta(days=number * 5 % 7)) for number in range(7)]
    items, _ = client.walk(f"{INBOX}?$orderby=receivedDateTime desc")
    assert [message.id for message in sorted(sent, key=lambda each: each.received, reverse=True)] == present(
        items
    )
    links = {kind: client.walk(f"{INBOX}?changeType={kind}")[1] for kind in ("created", "updated", "deleted")}
    gone = sent[0].id
    box.purge(sent[0])
    box.flag(sent[1])
    new = box.deliver(MAIL)
    found = {kind: [item["id"] for item in client.walk(link)[0]] for kind, link in links.items()}
    assert {"created": [new.id], "updated": [sent[1].id], "deleted": [gone]} == found


@pytest.mark.parametrize(
    ("style", "status", "code"),
    [
        ("410 SyncStateNotFound", 410, "SyncStateNotFound"),
        ("400 SyncStateInvalid", 400, "SyncStateInvalid"),
        ("410 resyncRequired", 410, "resyncRequired"),
        ("410 empty", 410, None),
    ],
)
def test_old_links_are_gone(
    graph: GraphServer, box: Mailbox, client: PlainClient, style: str, status: int, code: str | None
) -> None:
    """D7: the newest three rounds' live, retries cost none, and the first URL always works."""
    graph.quirks.gone_style = style
    links = [client.walk(SELECT)[1]]
    for _ in range(3):
        fill(box, 1)
        for _ in range(5):  # as a client that retries
            client.walk(links[-1])
        links.append(client.walk(links[-1])[1])
    answer = client.get(links[0])
    assert (status, code) == (answer.status_code, answer.json()["error"]["code"] if answer.content else None)
    if code == "SyncStateNotFound":
        assert "generation=1;[highest=4][4][3][2]." in answer.json()["error"]["message"]
    assert [200, 200, 200] == [client.get(link).status_code for link in links[1:]]
    graph.expire_links(box)
    assert [status] * 4 == [client.get(link).status_code for link in links]
    assert 3 == len(client.walk(SELECT)[0])


def test_old_pages_of_a_round_are_gone_too(box: Mailbox, client: PlainClient) -> None:
    """D7: the newest three pages may be asked for again."""
    fill(box)
    pages = client.pages(SELECT, "odata.maxpagesize=1")
    links = [page["@odata.nextLink"] for page in pages[:-1]]
    assert [410, 410, 410, 200, 200, 200] == [client.get(link).status_code for link in links]


def test_folders_are_tracked_without_their_messages(box: Mailbox, client: PlainClient) -> None:
    """E1: at every depth; renames, new ones, deleted ones."""
    gone = box.new_folder("Gone", parent=box.folder("inbox"))
    items, link = client.walk("/me/mailFolders/delta?$select=displayName")
    assert {"Inbox", "Gone", "Conflicts"} <= {item["displayName"] for item in items}
    fill(box)
    box.rename(box.folder("archive"), "Ablage")
    box.delete_folder(gone)
    items, _ = client.walk(link)
    assert ([gone.id], ["Ablage"]) == (
        removed(items),
        [item["displayName"] for item in items if "@removed" not in item],
    )
    assert (400, "ErrorInvalidUrlQuery") == client.error("/me/mailFolders/delta?$top=1")
