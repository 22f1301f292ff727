"""Every quirk of the Graph simulator is off until it is switched on, and then does what its report says."""

from __future__ import annotations

import pytest

from tests.servers.graph import GraphServer, Mailbox
from tests.servers.graph.mails import MAIL
from tests.servers.graph.plain_client import IMMUTABLE, PlainClient
from tests.servers.graph.test_delta import INBOX, SELECT, fill, present, removed


@pytest.mark.parametrize(
    ("boomerang", "prefer", "returns"), [(True, IMMUTABLE, False), (False, IMMUTABLE, True), (True, "", True)]
)
def test_boomerang(
    graph: GraphServer, box: Mailbox, client: PlainClient, boomerang: bool, prefer: str, returns: bool
) -> None:
    """D8: with immutable ids, what left and came back between two rounds is told as gone, arrivals as well."""
    graph.quirks.boomerang = boomerang
    old = box.deliver(MAIL)
    items, link = client.walk(SELECT, prefer)
    new = box.deliver(MAIL)
    for message in (old, new):
        box.move(message, box.folder("archive"))
        box.move(message, box.folder("inbox"))
    items, link = client.walk(link, prefer)
    both = sorted(message.id_as(immutable=bool(prefer)) for message in (old, new))
    assert (both if returns else []) == sorted(present(items))
    assert returns or both == sorted(removed(items))
    assert [] == client.walk(link, prefer)[0]
    assert both == sorted(present(client.walk(SELECT, prefer)[0]))


def test_lost_move_in(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D8: the removal shows, the arrival does not; a walk from the start has it."""
    graph.quirks.lost_move_in = True
    archive = "/me/mailFolders/archive/messages/delta"
    message = box.deliver(MAIL)
    inbox_link, archive_link = client.walk(INBOX, IMMUTABLE)[1], client.walk(archive, IMMUTABLE)[1]
    box.move(message, box.folder("archive"))
    assert [message.immutable_id] == removed(client.walk(inbox_link, IMMUTABLE)[0])
    assert [] == client.walk(archive_link, IMMUTABLE)[0]
    assert [message.immutable_id] == present(client.walk(archive, IMMUTABLE)[0])


def test_replay(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D8: the last round once more, and what is new."""
    fill(box, 3)
    link = client.walk(SELECT)[1]
    second = fill(box, 2)
    link = client.walk(link)[1]
    third = fill(box, 1)
    graph.quirks.replay = True
    assert {each.id for each in second + third} == set(present(client.walk(link)[0]))


def test_duplicates_and_empty_pages(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D3: an item twice, a page with nothing but a nextLink."""
    sent = {each.id for each in fill(box)}
    graph.quirks.duplicates = graph.quirks.empty_pages = True
    pages = client.pages(SELECT, "odata.maxpagesize=4")
    found = [item["id"] for page in pages for item in page["value"]]
    assert (sent, 10) == (set(found), len(found))
    assert [0, 4, 0, 4, 0, 2] == [len(page["value"]) for page in pages]


def test_removed_in_first_round(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D3: what left before the first round."""
    gone, stays = fill(box, 2)
    box.purge(gone)
    for switched, expected in ((False, []), (True, [gone.id])):
        graph.quirks.removed_in_first_round = switched
        items, _ = client.walk(SELECT)
        assert (expected, [stays.id]) == (removed(items), present(items))


def test_lag(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D8: a change shows two rounds later, once."""
    link = client.walk(SELECT)[1]
    graph.quirks.lag = 2
    message = box.deliver(MAIL)
    found = []
    for _ in range(4):
        items, link = client.walk(link)
        found.append(present(items))
    assert [[], [], [message.id], []] == found


def test_next_links_that_lead_nowhere(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D8: the same link again, so many times or always; ever other links to the same page."""
    fill(box)
    graph.quirks.repeat_next_link = 2
    pages = client.pages(SELECT, "odata.maxpagesize=3")
    links = [page.get("@odata.nextLink") for page in pages]
    assert (5, True, True) == (len(pages), links[0] == links[1] == links[2], links[3] != links[0])
    graph.quirks.repeat_next_link = True
    assert {30} == {len(client.pages(SELECT, "odata.maxpagesize=3", most=30))}
    graph.quirks.repeat_next_link, graph.quirks.endless_next_link = False, True
    pages = client.pages(SELECT, "odata.maxpagesize=3", most=30)
    assert 30 == len({page["@odata.nextLink"] for page in pages})
    assert 1 == len({str(page["value"]) for page in pages})


def test_a_next_link_may_expire_in_the_middle(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D7: once, then the walk from the start goes through."""
    fill(box)
    graph.quirks.expire_next_links = 1
    link = client.json(SELECT, "odata.maxpagesize=3")["@odata.nextLink"]
    assert (410, "SyncStateNotFound") == client.error(link)
    assert 7 == len(client.walk(SELECT, "odata.maxpagesize=3")[0])


def test_poison(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D8: every page that would hold the item is a 500; pages without it, and the item alone, are well."""
    sent = fill(box)
    graph.quirks.poison = sent[3]
    assert (500, "InternalServerError") == client.error(SELECT)
    assert (500, "InternalServerError") == client.error("/me/mailFolders/inbox/messages?$select=id")
    statuses = [client.get(f"/me/messages?$top=1&$skip={skip}").status_code for skip in range(7)]
    assert (1, 6) == (statuses.count(500), statuses.count(200))
    assert MAIL == client.get(f"/me/messages/{sent[3].id}/$value").content


def test_quota_on_delta(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """D8: a full mailbox refuses delta and still lists."""
    fill(box)
    graph.quirks.quota_on_delta = True
    assert (403, "ErrorQuotaExceeded") == client.error(SELECT)
    assert 7 == len(client.json("/me/mailFolders/inbox/messages")["value"])


def test_a_folder_goes_in_the_middle_of_a_round(
    graph: GraphServer, box: Mailbox, client: PlainClient
) -> None:
    """D8: its links say so, its URL knows it no more."""
    folder = box.new_folder("Gone")
    fill(box, folder=folder)
    path = f"/me/mailFolders/{folder.id}/messages/delta"
    graph.quirks.folder_deleted_mid_round = folder
    link = client.json(path, "odata.maxpagesize=2")["@odata.nextLink"]
    for _ in range(2):
        assert (404, "ErrorSyncFolderNotFound") == client.error(link)
    assert (404, "ErrorItemNotFound") == client.error(path)
    assert [] == [each for each in box.messages() if each.folder is folder]


def test_page_size_cap(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """The server decides how much a page holds."""
    fill(box)
    graph.quirks.page_size_cap = 2
    for path in (SELECT, "/me/messages?$top=100"):
        assert [2, 2, 2, 1] == [len(page["value"]) for page in client.pages(path, "odata.maxpagesize=100")]


def test_foreign_links(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """F4: nextLink and deltaLink of another host, for clients to refuse."""
    fill(box, 11)
    graph.quirks.foreign_links = "https://graph.invalid"
    for path, name in ((SELECT, "nextLink"), (SELECT, "deltaLink"), ("/me/messages", "nextLink")):
        page = client.json(path, f"odata.maxpagesize={10 if name == 'nextLink' else 100}")
        assert page[f"@odata.{name}"].startswith("https://graph.invalid/v1.0/me/")


def test_a_search_folder_doubles_what_it_shows(box: Mailbox, client: PlainClient) -> None:
    """E1: whoever does not skip it finds messages of other folders again; it has no delta [INVENTED]."""
    unread, read = fill(box, 2)
    box.mark_read(read)
    path = f"/me/mailFolders/{box.folder('Unread Mail').id}/messages"
    assert [unread.id] == [each["id"] for each in client.json(path)["value"]]
    assert (400, "BadRequest") == client.error(f"{path}/delta")
