"""The Graph simulator answers as the documents say: folders, messages, ids, MIME, attachments."""

from __future__ import annotations

import base64
import datetime as dt
import http.client
import ssl

import pytest

from tests.servers.graph import Attachment, GraphServer, Mailbox
from tests.servers.graph.mails import HTML, MAIL
from tests.servers.graph.plain_client import IMMUTABLE, PlainClient

WHEN = dt.datetime(2026, 6, 5, 10, 30, 45, 500_000, tzinfo=dt.UTC)


def test_ids_are_told_apart_by_case_alone(box: Mailbox, client: PlainClient) -> None:
    """S3: who folds case takes two messages for one."""
    one, other = box.deliver(MAIL), box.deliver(HTML)
    assert one.id.lower() == other.id.lower()
    assert one.immutable_id.lower() == other.immutable_id.lower()
    for message, subject in ((one, "Grüße"), (other, "h")):
        for id_ in (message.id, message.immutable_id):
            assert set("=-_") <= set(id_)
            assert subject == client.json(f"/me/messages/{id_}?$select=subject")["subject"]
    assert (404, "ErrorItemNotFound") == client.error(f"/me/messages/{one.id.lower()}")


@pytest.mark.parametrize("form", ["/{}", "('{}')", "/{}?$select=id"])
@pytest.mark.parametrize("encoded", [False, True])
def test_ids_come_in_paths_in_several_forms(
    box: Mailbox, client: PlainClient, form: str, encoded: bool
) -> None:
    """S3: as a segment, as a key, percent-encoded; and the collection in any case."""
    message = box.deliver(MAIL)
    id_ = message.id.replace("=", "%3D").replace("-", "%2D") if encoded else message.id
    for name in ("messages", "Messages"):
        assert message.id == client.json(f"/me/{name}{form.format(id_)}")["id"]


@pytest.mark.parametrize(
    ("prefer", "immutable"),
    [
        (['IdType="ImmutableId"'], True),
        (["idtype=ImmutableId"], True),
        (['odata.maxpagesize=5, IdType="ImmutableId"'], True),
        (["odata.maxpagesize=5", 'outlook.body-content-type="text"', 'IdType = "ImmutableId"'], True),
        (['outlook.body-content-type="IdType=ImmutableId"'], False),
        ([], False),
    ],
)
def test_the_id_form_is_asked_for_with_every_request(
    graph: GraphServer, box: Mailbox, prefer: list[str], immutable: bool
) -> None:
    """H1: joined, repeated or quoted, and never remembered, on a connection that is kept."""
    message = box.deliver(MAIL)
    context = ssl.create_default_context(cafile=graph.ca_file)
    connection = http.client.HTTPSConnection(graph.host, graph.port, context=context, timeout=10)
    sockets = set()
    for lines in (prefer, []):
        connection.putrequest("GET", f"/v1.0/me/messages/{message.immutable_id}?$select=id")
        connection.putheader("Authorization", f"Bearer {graph.issue_token(box.address)}")
        for line in lines:
            connection.putheader("Prefer", line)
        connection.endheaders()
        sockets.add(connection.sock)
        body = connection.getresponse().read().decode()
        assert (immutable and lines == prefer) == (message.immutable_id in body)
    assert 1 == len(sockets)
    connection.close()


def test_a_move_changes_one_id_and_keeps_the_other(box: Mailbox, client: PlainClient) -> None:
    """S1: and what is purged has none."""
    message = box.deliver(MAIL)
    before = message.id, message.change_key
    box.move(message, box.folder("archive"))
    assert (404, "ErrorItemNotFound") == client.error(f"/me/messages/{before[0]}")
    found = client.json(f"/me/messages/{message.immutable_id}?$select=parentFolderId,changeKey", IMMUTABLE)
    assert (message.immutable_id, box.folder("archive").id) == (found["id"], found["parentFolderId"])
    assert found["changeKey"] != before[1]
    box.purge(message)
    for id_ in (message.id, message.immutable_id):
        assert (404, "ErrorItemNotFound") == client.error(f"/me/messages/{id_}/$value")


def test_folders_are_listed_one_level_at_a_time(box: Mailbox, client: PlainClient) -> None:
    """E1: ten a page, hidden ones on request, search folders among them, names not unique."""
    inbox = box.folder("inbox")
    deep = box.new_folder("2026", parent=box.new_folder("Work", parent=inbox))
    box.new_folder("Work", parent=inbox)
    pages = client.pages("/me/mailFolders", "odata.maxpagesize=100")
    assert [10, 1] == [len(page["value"]) for page in pages]
    listed = {folder["displayName"]: folder for page in pages for folder in page["value"]}
    assert {"Inbox", "Unread Mail"} <= set(listed)
    assert not {"2026", "Yammer Root"} & set(listed)
    assert "#microsoft.graph.mailSearchFolder" == listed["Unread Mail"]["@odata.type"]
    assert 2 == listed["Inbox"]["childFolderCount"]
    below = client.json(f"/me/mailFolders/{inbox.id}/childFolders?$select=displayName")["value"]
    assert ["Work", "Work"] == [folder["displayName"] for folder in below]
    assert deep.id in {
        each["id"] for each in client.json(f"/me/mailFolders/{below[0]['id']}/childFolders")["value"]
    }
    hidden = client.json("/me/mailFolders?includeHiddenFolders=true&$top=100")["value"]
    assert {"Yammer Root": True} == {each["displayName"]: True for each in hidden if each["isHidden"]}


def test_well_known_names_hold_in_every_language(box: Mailbox, client: PlainClient) -> None:
    """E1: an id survives renaming; `wellKnownName` is no property of v1.0."""
    inbox = box.folder("inbox")
    box.rename(inbox, "Posteingang")
    assert (inbox.id, "Posteingang") == tuple(
        client.json("/me/mailFolders/Inbox?$select=id,displayName").values()
    )
    assert (404, "ErrorItemNotFound") == client.error("/me/mailFolders/Posteingang")
    assert (400, "RequestBroker--ParseUri") == client.error("/me/mailFolders?$select=wellKnownName")


@pytest.mark.parametrize(
    "query", ["", "$top=7", "$top=1000", "$skip=0&$top=3", "$filter=receivedDateTime ge 2000-01-01"]
)
def test_listings_give_everything_once_newest_first(box: Mailbox, client: PlainClient, query: str) -> None:
    """E2: by nextLink; the $skip in it counts more than messages."""
    sent = [box.deliver(MAIL).id for _ in range(25)]
    pages = client.pages(f"/me/mailFolders/inbox/messages?$select=id&{query}")
    assert sent[::-1] == [each["id"] for page in pages for each in page["value"]]
    if not query:
        assert [10, 10, 5] == [len(page["value"]) for page in pages]
        assert "$skip=11" in pages[0]["@odata.nextLink"]
    assert sent[::-1] == [each["id"] for each in client.json("/me/messages?$top=100&$select=id")["value"]]


@pytest.mark.parametrize(
    ("operator", "seconds", "found"),
    [("gt", 0, 1), ("ge", 0, 1), ("le", 0, 0), ("lt", 0, 0), ("gt", 1, 0), ("lt", 1, 1), ("le", 1, 1)],
)
def test_filters_see_more_than_whole_seconds(
    box: Mailbox, client: PlainClient, operator: str, seconds: int, found: int
) -> None:
    """E2, S1: `gt` what was shown finds the same message again."""
    message = box.deliver(MAIL, received=WHEN)
    shown = client.json(f"/me/messages/{message.id}?$select=receivedDateTime")["receivedDateTime"]
    assert "2026-06-05T10:30:45Z" == shown
    bound = (dt.datetime.fromisoformat(shown) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"/me/messages?$filter=receivedDateTime {operator} {bound}&$orderby=receivedDateTime&$count=true"
    answer = client.json(path)
    assert (found, found) == (len(answer["value"]), answer["@odata.count"])


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/messages?$filter=isRead eq true&$orderby=receivedDateTime", (400, "InefficientFilter")),
        ("/messages?$filter=isRead eq true and receivedDateTime ge 2026-01-01&$orderby=receivedDateTime", (400, "InefficientFilter")),
        ("/messages?$select=id,nonsense", (400, "RequestBroker--ParseUri")),
        ("/messages?$top=0", (400, "BadRequest")),
        ("/messages?$top=1001", (400, "BadRequest")),
        ("/messages?$top=2&top=3", (400, "BadRequest")),
        ("/messages?$nonsense=1", (400, "ErrorInvalidUrlQuery")),
        ("/messages?$filter=receivedDateTime near 2026-01-01", (400, "BadRequest")),
        ("/messages?$filter=receivedDateTime ge yesterday", (400, "BadRequest")),
        ("/messages?$filter=receivedDateTime ge 'x'", (400, "BadRequest")),
        ("/messages/delta", (400, "BadRequest")),
        ("/nonsense", (400, "BadRequest")),
        ("/mailFolders/inbox/nonsense", (400, "BadRequest")),
        ("/mailFolders/nonsense", (404, "ErrorItemNotFound")),
        ("/mailFolders/inbox/messages/nonsense", (404, "ErrorItemNotFound")),
    ],
)  # fmt: skip
def test_what_is_not_documented_is_refused(
    box: Mailbox, client: PlainClient, path: str, refusal: tuple[int, str]
) -> None:
    """E2, E3: strictly, and never with a guess."""
    box.deliver(MAIL)
    assert refusal == client.error(f"/me{path}")


def test_a_message_as_json(box: Mailbox, client: PlainClient) -> None:
    """E4: what the MIME says; headers only on request."""
    message = box.deliver(MAIL, received=WHEN, read=True, flagged=True, draft=True, categories=("Red",))
    found = client.json(f"/me/messages/{message.id}")
    expected = {
        "subject": "Grüße", "internetMessageId": "<1@x.example>", "receivedDateTime": "2026-06-05T10:30:45Z",
        "sentDateTime": "2026-06-05T08:30:45Z", "isRead": True, "isDraft": True, "categories": ["Red"],
        "flag": {"flagStatus": "flagged"}, "parentFolderId": box.folder("inbox").id, "hasAttachments": False,
        "from": {"emailAddress": {"name": "Ann", "address": "ann@x.example"}}, "ccRecipients": [],
    }  # fmt: skip
    assert expected == {name: found[name] for name in expected}
    assert ["b@x.example", "c@x.example"] == [
        each["emailAddress"]["address"] for each in found["toRecipients"]
    ]
    assert not {"internetMessageHeaders", "uniqueBody"} & set(found)
    headers = client.json(f"/me/messages/{message.id}?$select=internetMessageHeaders")[
        "internetMessageHeaders"
    ]
    assert {"name": "Subject", "value": "Grüße"} in headers


@pytest.mark.parametrize(
    ("raw", "prefer", "kind", "content"),
    [
        (MAIL, "", "html", '<html><body><div class="PlainText">hello, world<br>\n</div></body></html>'),
        (MAIL, 'outlook.body-content-type="text"', "text", "hello, world\r\n"),
        (HTML, "", "html", "<p>hi</p>"),
        (HTML, "outlook.allow-unsafe-html", "html", "<p>hi<script>x()</script></p>"),
        (HTML, "outlook.body-content-type=text", "text", "hi"),
    ],
)
def test_the_body_is_html_unless_asked_for(
    box: Mailbox, client: PlainClient, raw: bytes, prefer: str, kind: str, content: str
) -> None:
    """H1: and the answer says which preference it followed."""
    answer = client.get(f"/me/messages/{box.deliver(raw).id}?$select=body", prefer)
    assert {"contentType": kind, "content": content} == answer.json()["body"]
    assert bool(prefer) == ("Preference-Applied" in answer.headers)


def test_mime_comes_whole_and_without_a_length(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """E5: not by the path through the folder; with other boundaries each time, if so wished."""
    message = box.deliver(HTML)
    answer = client.get(f"/me/messages/{message.id}/$value")
    assert (HTML, "chunked") == (answer.content, answer.headers["Transfer-Encoding"])
    assert "Content-Length" not in answer.headers
    assert (405, "ErrorInvalidRequest") == client.error(f"/me/mailFolders/inbox/messages/{message.id}/$value")
    assert message.id == client.json(f"/me/mailFolders/inbox/messages/{message.id}")["id"]
    graph.quirks.mime_jitter = True
    first, second = (client.get(f"/me/messages/{message.id}/$value").content for _ in range(2))
    assert len({HTML, first, second}) == 3
    assert HTML.count(b"--") == first.count(b"--")


def test_attachments_are_of_three_types(box: Mailbox, client: PlainClient) -> None:
    """E6: files with their octets, messages with their MIME, references with neither."""
    link = Attachment("plan", kind="reference", source_url="https://files.invalid/plan")
    mail = Attachment("fwd", kind="item", raw=MAIL)
    message = box.deliver(HTML, attachments=[mail, link])
    path = f"/me/messages/{message.id}/attachments"
    listed = client.json(path)["value"]
    assert ["fileAttachment", "itemAttachment", "referenceAttachment"] == [
        each["@odata.type"].removeprefix("#microsoft.graph.") for each in listed
    ]
    image = client.json(f"{path}/{listed[0]['id']}")
    assert ("c1", True, b"\x89PN") == (
        image["contentId"],
        image["isInline"],
        base64.b64decode(image["contentBytes"]),
    )
    assert [200, 200, 405] == [client.get(f"{path}/{each['id']}/$value").status_code for each in listed]
    assert MAIL == client.get(f"{path}/{listed[1]['id']}/$value").content
    item = client.json(f"{path}/{listed[1]['id']}?$expand=microsoft.graph.itemattachment/item")["item"]
    assert "<1@x.example>" == item["internetMessageId"]
    assert {"@odata.type", "id", "size"} == set(client.json(f"{path}?$select=id,size")["value"][0])
    whole = client.json(f"/me/messages/{message.id}?$expand=attachments($select=id)")
    assert listed == whole["attachments"]
    # Inline alone is no attachment [DOC]; the other two are.
    inline = box.deliver(HTML)
    assert (True, False) == (
        whole["hasAttachments"],
        client.json(f"/me/messages/{inline.id}")["hasAttachments"],
    )


def test_extended_properties_come_when_expanded(box: Mailbox, client: PlainClient) -> None:
    """E4: by the id that the filter names."""
    message = box.deliver(MAIL, extended={"Integer 0x1081": "102"})
    expand = "$expand=singleValueExtendedProperties($filter=id eq 'Integer 0x1081')"
    found = client.json(f"/me/messages/{message.id}?$select=id&{expand}")
    assert [{"id": "Integer 0x1081", "value": "102"}] == found["singleValueExtendedProperties"]
