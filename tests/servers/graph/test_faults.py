"""The Graph simulator throttles, breaks answers by script, and logs who came too early (F1, F2, F4, T1)."""

from __future__ import annotations

import email.utils
import http.client
import socket
import threading
import time
from collections.abc import Callable

import pytest
import requests

from tests.servers.graph import Fault, GraphServer, Mailbox, Request
from tests.servers.graph.connection import IDLE_SECONDS
from tests.servers.graph.mails import MAIL
from tests.servers.graph.plain_client import PlainClient

FOLDERS = "/me/mailFolders"


def test_four_at_once_and_no_more(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """F1: the fifth is refused, and may come back as soon as one ends: that Retry-After is no violation."""
    inside, leave = threading.Semaphore(0), threading.Event()

    def hold(request: Request) -> None:
        if request.path.endswith("inbox"):
            inside.release()
            leave.wait(10)

    graph.hook = hold
    clients = [PlainClient(graph) for _ in range(4)]
    held = [threading.Thread(target=each.get, args=(f"{FOLDERS}/inbox",)) for each in clients]
    for thread in held:
        thread.start()
    for _ in held:
        assert inside.acquire(timeout=10)
    refused = client.get(FOLDERS)
    leave.set()
    for thread in held:
        thread.join(10)
    assert (429, "1") == (refused.status_code, refused.headers["Retry-After"])
    error = {"code": "ApplicationThrottled", "message": "Application is over its MailboxConcurrency limit."}
    assert error == {name: refused.json()["error"][name] for name in error}
    assert 200 == client.get(FOLDERS).status_code
    assert [] == graph.throttle.violations
    assert [1, 2, 3, 4] == sorted(line.in_flight for line in graph.log if line.path.endswith("inbox"))
    for each in clients:
        each.close()


@pytest.mark.parametrize(
    ("style", "seconds"),
    [
        ("integer", int),
        ("fractional", lambda text: float(text) if "." in text else -1),
        ("date", lambda text: email.utils.parsedate_to_datetime(text).timestamp() - time.time()),
        ("absent", lambda text: 1 if text is None else -1),
    ],
)
def test_too_many_in_a_window(
    graph: GraphServer, box: Mailbox, client: PlainClient, style: str, seconds: Callable[[str | None], float]
) -> None:
    """F1: Retry-After in four styles; whoever comes back earlier is on record, with how early."""
    throttle = graph.throttle
    throttle.requests, throttle.window, throttle.retry_after_style = 3, 300.0, style
    assert [200, 200, 200, 429] == [client.get(FOLDERS).status_code for _ in range(4)]
    assert [] == throttle.violations  # nobody had told it to wait
    throttle.grace = 0.0
    refused = client.get(FOLDERS)
    assert "Application is over its RequestRate limit." == refused.json()["error"]["message"]
    assert 0 < seconds(refused.headers.get("Retry-After")) <= 302
    early = [(each.path, 200 < each.early <= 302) for each in throttle.violations]
    assert ([] if style == "absent" else [(f"/v1.0{FOLDERS}", True)]) == early


def test_the_window_slides(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """F1: who waits as long as it was told is served, and breaks nothing."""
    graph.throttle.requests, graph.throttle.window, graph.throttle.retry_after_style = 1, 0.2, "fractional"
    for _ in range(3):
        assert 200 == client.get(FOLDERS).status_code
        time.sleep(0.05)  # so that what is refused next leaves the window clearly after what was served
        answer = client.get(FOLDERS)
        if answer.status_code == 429:
            time.sleep(float(answer.headers["Retry-After"]))  # it is the waiting that is tested
            answer = client.get(FOLDERS)
        assert 200 == answer.status_code
        time.sleep(graph.throttle.window)  # what was served has left the window
    assert [] == graph.throttle.violations


def test_limits_are_per_app_and_mailbox(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """F1: one mailbox's limit leaves another alone; all can be switched off."""
    graph.new_mailbox("bob@outlook.example")
    graph.throttle.requests = 1
    bob = PlainClient(graph, "bob@outlook.example")
    assert [200, 200, 429, 429] == [each.get(FOLDERS).status_code for each in (client, bob, client, bob)]
    graph.throttle.enabled = False
    assert 200 == client.get(FOLDERS).status_code
    bob.close()


def test_a_scripted_retry_after_binds_too(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """F1, F2: a 503's as well as a 429's; the grace is for what was under way."""
    graph.faults.add(path=FOLDERS, fault=Fault.status(503, retry_after=60))
    client.get(FOLDERS)
    graph.throttle.grace = 60.0
    client.get(FOLDERS)
    assert [] == graph.throttle.violations
    graph.throttle.grace = 0.0
    client.get(FOLDERS)
    assert [f"/v1.0{FOLDERS}"] == [each.path for each in graph.throttle.violations]


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (Fault.status(403, code="ErrorAccessDenied"), 403, b'{"error":{"code":"ErrorAccessDenied"'),
        (Fault.status(503, body=b""), 503, b""),
        (Fault.status(502, body=b"<html>", content_type="text/html"), 502, b"<html>"),
        (Fault.status(509), 509, b'{"error"'),
        (Fault.status(504, after=0.01), 504, b'{"error"'),
        (Fault.insufficient_claims("e30="), 401, b'{"error"'),
        (Fault.redirect("https://graph.invalid/"), 302, b""),
        (Fault.body(b'\xef\xbb\xbf{"value":[]}'), 200, b"\xef\xbb\xbf"),
        (Fault.body(b'{"value":[],"value":'), 200, b'{"value":[],"value":'),
        (Fault.delay(0.01), 200, b'{"@odata'),
        (Fault.slow(50_000), 200, b'{"@odata'),
    ],
)
def test_answers_by_script(
    graph: GraphServer, box: Mailbox, client: PlainClient, fault: Fault, status: int, body: bytes
) -> None:
    """F2: for the second and third request of the method to the path, and for no other."""
    graph.faults.add(path=r"/mailFolders$", nth=2, times=2, fault=fault)
    assert 200 == client.get(f"{FOLDERS}/inbox").status_code
    answers = [client.get(FOLDERS) for _ in range(4)]
    assert [200, status, status, 200] == [answer.status_code for answer in answers]
    assert answers[1].content.startswith(body)
    assert bool(body) == bool(answers[1].content)
    assert answers[1].headers.get("Location") == (None if status != 302 else "https://graph.invalid/")
    assert ("insufficient_claims" in answers[1].headers.get("WWW-Authenticate", "")) == (status == 401)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.reset(), requests.ConnectionError),
        (Fault.truncate(10), requests.exceptions.ChunkedEncodingError),
        (Fault.truncate(10, framing="length"), requests.exceptions.ChunkedEncodingError),
        (Fault.truncate(0), requests.exceptions.ChunkedEncodingError),
    ],
)
@pytest.mark.parametrize("tls", [True, False])
def test_connections_that_break(fault: Fault, error: type[Exception], tls: bool) -> None:
    """F2: before the headers, or in the body; the next request is well."""
    with GraphServer(tls=tls) as graph:
        message = graph.new_mailbox("ann@outlook.example").deliver(MAIL)
        client = PlainClient(graph)
        graph.faults.add(path=r"/\$value$", fault=fault)
        with pytest.raises(error):
            client.get(f"/me/messages/{message.id}/$value")
        assert MAIL == client.get(f"/me/messages/{message.id}/$value").content
        client.close()
    assert [None if fault.resets else 200, 200] == [line.status for line in graph.log]


def test_a_reset_is_one_on_the_wire() -> None:
    """F2: not an orderly end, which some clients take for an empty answer."""
    with GraphServer(tls=False) as graph, socket.create_connection((graph.host, graph.port), 10) as wire:
        graph.faults.add(fault=Fault.reset())
        wire.sendall(b"GET /v1.0/me HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            wire.recv(1)


def test_a_body_cut_short_that_nobody_can_notice(
    graph: GraphServer, box: Mailbox, client: PlainClient
) -> None:
    """F2: neither length nor chunks: only the MIME itself, or a second read, tells."""
    message = box.deliver(MAIL)
    graph.faults.add(path=r"/\$value$", fault=Fault.truncate(10, framing="missing"))
    assert MAIL[:10] == client.get(f"/me/messages/{message.id}/$value").content


def test_every_request_is_on_record(graph: GraphServer, box: Mailbox, client: PlainClient) -> None:
    """T1: what was asked, by whom, when and how it ended; the token as a digest."""
    graph.quirks.latency = 0.05
    client.get(f"{FOLDERS}?$top=1", "odata.maxpagesize=1")
    client.get("/me/messages/nonsense")
    first, second = graph.log
    assert ("GET", f"/v1.0{FOLDERS}", "$top=1", 200) == (first.method, first.path, first.query, first.status)
    assert (404, box.address, 1) == (second.status, second.mailbox, second.in_flight)
    assert "odata.maxpagesize=1" == first.headers["Prefer"]
    assert first.headers["Authorization"] == second.headers["Authorization"]
    assert client.token not in str(graph.log)
    assert first.ended is not None
    assert first.started + 0.05 <= first.ended <= second.started


def test_the_hook_changes_mail_before_the_answer(
    graph: GraphServer, box: Mailbox, client: PlainClient
) -> None:
    """For arrivals and moves in the middle of a walk."""
    graph.hook = lambda request: box.deliver(MAIL) if request.segments[-1] == "messages" else None
    assert [1, 2] == [len(client.json("/me/messages")["value"]) for _ in range(2)]


def test_stopping_lets_nobody_wait(graph: GraphServer, box: Mailbox) -> None:
    """A client that says nothing on an open connection does not hold the server up."""
    with GraphServer(tls=False) as other:
        idle = http.client.HTTPConnection(other.host, other.port, timeout=10)
        idle.connect()
        before = time.monotonic()
    assert time.monotonic() - before < IDLE_SECONDS
    idle.close()
