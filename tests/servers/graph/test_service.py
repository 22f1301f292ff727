"""The Graph simulator answers as the documents say: users, tokens, $batch, headers, connections."""

from __future__ import annotations

import base64
import time

import requests

from tests.servers.graph import Grant, GraphServer, Mailbox
from tests.servers.graph.mails import HTML, MAIL
from tests.servers.graph.plain_client import PlainClient


def test_users_and_who_may_read_them(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """`/me` is the user's own; an application reads all, pages through them, and meets those without mail (F3)."""
    for name in ("bob", "cid"):
        graph.new_mailbox(f"{name}@outlook.example", licensed=name != "cid")
    app = PlainClient(graph, None)
    pages = app.pages("/users?$select=userPrincipalName,mail,assignedLicenses&$top=2")
    assert [2, 1] == [len(page["value"]) for page in pages]
    assert [(True, True), (True, True), (False, False)] == [
        (bool(each["mail"]), bool(each["assignedLicenses"])) for page in pages for each in page["value"]
    ]
    one = app.json("/users?$filter=userPrincipalName eq 'bob@outlook.example'")["value"]
    assert ["bob@outlook.example"] == [each["userPrincipalName"] for each in one]
    for who in (one[0]["id"], "BOB@outlook.example"):
        assert 200 == app.get(f"/users/{who}/mailFolders/inbox").status_code
    for asking, path, refusal in (
        (app, "/me/mailFolders", (400, "BadRequest")),
        (app, "/users/dan@outlook.example/messages", (404, "ErrorInvalidUser")),
        (app, "/users/cid@outlook.example/mailFolders", (404, "MailboxNotEnabledForRESTAPI")),
        (client, "/users/bob@outlook.example/messages", (403, "ErrorAccessDenied")),
        (client, "/users", (403, "ErrorAccessDenied")),
    ):
        assert refusal == asking.error(path)
    assert box.address == client.json(f"/users/{box.address}")["userPrincipalName"]
    app.close()


def test_tokens_end(graph: GraphServer, client: PlainClient) -> None:
    """A4: expired, revoked and unknown ones are refused alike; another authority may vouch for its own."""
    good = client.token
    for token in (graph.issue_token("ann@outlook.example", expires_in=-1), "unknown", ""):
        client.token = token
        assert (401, "InvalidAuthenticationToken") == client.error("/me/mailFolders")
    graph.accept = lambda token: Grant("ann@outlook.example", "app") if token == "theirs" else None
    for token, status in (("theirs", 200), ("other", 401), (good, 200)):
        client.token = token
        assert status == client.get("/me/mailFolders").status_code
    graph.revoke(good)
    assert 401 == client.get("/me/mailFolders").status_code


def test_time_of_a_request(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """T1: it begins when all of it has come in, whatever the simulator does before it answers."""

    def slow(token: str) -> Grant:
        time.sleep(0.05)  # the simulator's own work, which the time of a request leaves out
        return Grant(box.address, "app")

    graph.accept, client.token = slow, "theirs"
    begun = time.monotonic()
    client.get("/me/mailFolders")
    client.request("POST", "/me/translateExchangeIds", data=b"{}")
    for line in graph.log:
        assert line.ended is not None
        assert begun < line.started <= line.ended - 0.05


def test_ids_are_translated(box: Mailbox, client: PlainClient) -> None:
    """E8: both ways, up to a thousand; what is unknown is told one by one."""
    message = box.deliver(MAIL)

    def translate(ids: list[str], source: str, target: str) -> requests.Response:
        asked = {"inputIds": ids, "sourceIdType": source, "targetIdType": target}
        return client.request("POST", "/me/translateExchangeIds", json=asked)

    rest, immutable = ("restId", message.id), ("restImmutableEntryId", message.immutable_id)
    for (source, given), (target, expected) in ((rest, immutable), (immutable, rest)):
        found = translate([given, "nonsense"], source, target).json()["value"]
        assert {"sourceId": given, "targetId": expected} == found[0]
        assert "errorDetails" in found[1]
    assert 400 == translate(["x"] * 1001, "restId", "restImmutableEntryId").status_code
    assert 400 == translate([message.id], "restId", "nonsense").status_code


def test_the_same_seed_makes_the_same_mailbox() -> None:
    """T2: and another seed another one."""
    made = []
    for seed in (1, 1, 2):
        with GraphServer(tls=False, seed=seed) as server:
            message = server.new_mailbox("ann@outlook.example").deliver(MAIL)
            made.append((message.id, message.immutable_id, message.folder.id))
    assert made[0] == made[1]
    assert not set(made[1]) & set(made[2])


def test_a_batch_is_answered_one_by_one_in_any_order(
    graph: GraphServer, box: Mailbox, client: PlainClient
) -> None:
    """E7: each with its own status, also 424 for what depends on a failure; octets in Base64."""
    message = box.deliver(MAIL)
    paths = {
        "a": f"/me/messages/{message.id}?$select=subject", "b": "/me/messages/nonsense",
        "c": f"me/messages/{message.id}/$value", "d": "/me/mailFolders", "e": "/me/mailFolders",
    }  # fmt: skip
    needs = {"d": ["b"], "e": ["a"]}
    steps = [
        {"id": id_, "method": "GET", "url": url, "headers": {"Prefer": 'IdType="ImmutableId"'}}
        | ({"dependsOn": needs[id_]} if id_ in needs else {})
        for id_, url in paths.items()
    ]
    answers = client.request("POST", "/$batch", json={"requests": steps}).json()["responses"]
    by_id = {each["id"]: each for each in answers}
    assert {"a": 200, "b": 404, "c": 200, "d": 424, "e": 200} == {
        id_: each["status"] for id_, each in by_id.items()
    }
    assert list("abcde") != [each["id"] for each in answers]
    assert ("Grüße", message.immutable_id) == (by_id["a"]["body"]["subject"], by_id["a"]["body"]["id"])
    assert MAIL == base64.b64decode(by_id["c"]["body"])
    assert 2 == graph.throttle.most_in_flight  # the batch and one of its requests


def test_a_malformed_batch_is_refused_whole(client: PlainClient) -> None:
    """E7: more than twenty, an id twice, one within another, no JSON."""
    step = {"id": "1", "method": "GET", "url": "/me"}
    many = [step | {"id": str(number)} for number in range(21)]
    refused: list[object] = [
        {"requests": many},
        {"requests": [step, step]},
        {"requests": [step | {"url": "/$batch"}]},
        {},
        [],
    ]
    for asked in refused:
        assert 400 == client.request("POST", "/$batch", json=asked).status_code
    assert 200 == client.request("POST", "/$batch", json={"requests": many[:20]}).status_code


def test_every_answer_has_ids_and_a_date(box: Mailbox, client: PlainClient) -> None:
    """H2: the client's own id comes back, in errors too."""
    found = []
    for path, status in (("/me/mailFolders", 200), ("/me/messages/nonsense", 404)):
        answer = client.get(path, headers={"client-request-id": "fake-1"})
        assert (status, "fake-1") == (answer.status_code, answer.headers["client-request-id"])
        assert answer.headers["Content-Type"].startswith("application/json;odata.metadata=minimal")
        assert answer.headers["Date"].endswith("GMT")
        found.append(answer.headers["request-id"])
    assert found[1] == answer.json()["error"]["innerError"]["request-id"] != found[0]


def test_long_json_is_compressed_for_those_who_take_it(box: Mailbox, client: PlainClient) -> None:
    """H3: on some answers."""
    box.deliver(HTML)
    box.deliver(HTML)
    for path, accept, encoding in (
        ("/me/messages", "gzip", "gzip"),
        ("/me/messages", "identity", None),
        ("/me/messages?$select=id", "gzip", None),
    ):
        answer = client.get(path, headers={"Accept-Encoding": accept})
        assert encoding == answer.headers.get("Content-Encoding")
        assert 2 == len(answer.json()["value"])


def test_it_writes_nothing(box: Mailbox, client: PlainClient) -> None:
    """A reader's double: whoever tries to change mail is refused."""
    message = box.deliver(MAIL)
    for method in ("PATCH", "DELETE", "PUT"):
        answer = client.request(method, f"/me/messages/{message.id}", json={"isRead": True})
        assert (405, False) == (answer.status_code, message.read)


def test_plain_http_by_option() -> None:
    """For clients that cannot be given a CA."""
    with GraphServer(tls=False) as server:
        server.new_mailbox("ann@outlook.example")
        client = PlainClient(server)
        assert server.url.startswith("http://")
        assert client.json("/me/mailFolders/inbox")["displayName"] == "Inbox"
        client.close()
