"""Servers that break off, lie, change their mind or never end: the archive after the next run is what it should be.

What the tap makes of each is tests/tap/imap; here the pair runs, and the archive is compared.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.matrix import Case, listing
from tests.faults.sources import Source, undisturbed
from tests.faults.warm import Warm
from tests.servers.dovecot import Dovecot, User
from tests.servers.imap_script import CLOSE, Command, ImapScript, Mailbox, Message
from tests.servers.proxy import Proxy
from tests.servers.relay import Relay
from tests.tap.runs import imap_account, mail
from tests.waiting import wait_until

UIDS = range(1, 41)


def box(uids: range = UIDS, **settings: Any) -> Mailbox:
    """A folder of messages whose number is their UID."""
    return Mailbox({uid: Message(mail(uid, body=f"{uid}\r\n" * 50)) for uid in uids}, **settings)


@pytest.fixture(scope="module")
def user(dovecot: Dovecot) -> User:
    """Someone with mail in two folders."""
    someone = dovecot.new_user()
    for folder, numbers in (("INBOX", range(60)), ("Work", range(60, 90))):
        dovecot.fill(someone, folder, [mail(number, body=f"{number}\r\n" * 50) for number in numbers])
    return someone


@pytest.fixture(scope="module")
def mailbox(dovecot: Dovecot, user: User, warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """What becomes of it undisturbed."""
    return undisturbed(tmp_path_factory.mktemp("mailbox"), warm, [imap_account(dovecot, user)])


@pytest.fixture(scope="module")
def whole(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """What becomes undisturbed of the scripted server's INBOX."""
    with ImapScript({"INBOX": box()}) as server:
        return undisturbed(tmp_path_factory.mktemp("whole"), warm, [imap_account(server)])


CUTS = {
    "inside the greeting": b"* OK [CAPA",
    "inside a tag": None,
    "inside a literal's header": b"BODY[] {",
    "behind a literal's header": b"}\r\nMessage-ID: ",
    "inside a literal": b"Subject: Message 33",
    "between responses": b")\r\n* 40 FETCH",
    "inside a list": b"* LIST (",
    "inside a search": b"* SEARCH 1 2 3 4 5",
}


@pytest.mark.parametrize("where", CUTS)
def test_connection_cut(
    memory: Path, warm: Warm, proxy: Proxy, user: User, mailbox: Source, where: str
) -> None:
    """At every kind of octet: what came before it is archived, the rest by the next connection or run."""
    case = Case(memory, warm, [imap_account(proxy, user)], mailbox.promised, commit_messages=7)
    pattern = CUTS[where]
    if pattern is None:
        proxy.on_client_line = cut_inside_the_tag(proxy)
    else:
        proxy.cut_at(pattern)
    ran = case.run()
    assert 1 <= proxy.cuts, ran
    assert ran.tap in {0, 3}, ran
    proxy.heal()
    case.after_fault(ran)
    case.restart(mailbox.expected)


def cut_inside_the_tag(proxy: Proxy) -> Callable[[bytes], None]:
    """Cut the answer to the first FETCH of bodies in the middle of its tag."""

    def hook(line: bytes) -> None:
        if b"BODY.PEEK[]" in line and not proxy.cuts:
            proxy.cut_at(line.split(b" ")[0][:-1])

    return hook


COMMANDS = (
    "CAPABILITY",
    "LOGIN",
    "LIST",
    "EXAMINE",
    "UID SEARCH",
    "UID FETCH .*SIZE",
    "UID FETCH .*PEEK",
    "LOGOUT",
)


def wrong_literal(octets: int) -> Callable[[Command, bytes], bytes]:
    """An answer whose first literal is so many octets longer than it says."""

    def answer(_command: Command, usual: bytes) -> bytes:
        head, _, rest = usual.partition(b"BODY[] {")
        size, _, rest = rest.partition(b"}")
        return head + b"BODY[] {%d}" % (int(size) - octets) + rest

    return answer


DISTURBANCES: dict[str, tuple[str, Any]] = {
    **{f"BYE at {command}": (command, "* BYE gone\r\n") for command in COMMANDS},
    "hung up at a FETCH": ("UID FETCH .*PEEK", CLOSE),
    "literal too short": ("UID FETCH .*PEEK", wrong_literal(7)),
    "literal too short by a line": ("UID FETCH .*PEEK", wrong_literal(5 * 52)),
    "literal too long": ("UID FETCH .*PEEK", wrong_literal(-9)),
    "literal too long for the answer": ("UID FETCH .*PEEK", wrong_literal(-1_000_000)),
    "literal of nothing": (
        "UID FETCH .*PEEK",
        lambda _, usual: usual.partition(b"BODY[] {")[0] + b"BODY[] {}\r\n)\r\n",
    ),
    "another message's answer": ("UID FETCH .*PEEK", lambda _, usual: usual.replace(b"UID 7 ", b"UID 8 ")),
}


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_answers(
    memory: Path, warm: Warm, make_imap_script: Callable[..., ImapScript], whole: Source, disturbance: str
) -> None:
    """Said once or always: no message is archived that is none, none is missing after the next sound run."""
    server = make_imap_script({"INBOX": box()})
    accounts = [imap_account(server, read_timeout=1)]
    command, answer = DISTURBANCES[disturbance]
    server.answer(command, answer, times=2)
    case = Case(memory / "case", warm, accounts, whole.promised, commit_messages=7)
    ran = case.run()
    assert ran.tap in {0, 3}, ran
    case.after_fault(ran)
    server.answer(command, lambda _, usual: usual)
    case.restart(whole.expected)


@pytest.mark.parametrize("uids", [range(1, 41), range(1, 11)], ids=["same UIDs", "fewer"])
def test_uidvalidity_changes_under_way(
    memory: Path, warm: Warm, make_imap_script: Callable[..., ImapScript], uids: range
) -> None:
    """Other messages under the UIDs of the old: those of both are archived, and no bookmark mixes them."""
    old = box(range(1, 251))  # the tap asks for 200 at a time
    new = Mailbox({uid: Message(mail(1000 + uid)) for uid in uids}, uidvalidity=2)
    server = make_imap_script({"INBOX": old, "Old": old, "New": new})
    accounts = [imap_account(server, folders={"include": ["INBOX"]}, read_timeout=1)]
    both = undisturbed(memory / "both", warm, [imap_account(server, folders={"include": ["Old", "New"]})])
    case = Case(memory / "case", warm, accounts, commit_messages=7)

    def renumbered(command: Command, usual: bytes) -> bytes:
        if not command.args.startswith("2") or server.folders["INBOX"] is new:
            return usual
        server.folders["INBOX"] = new
        return usual[: len(usual) // 2]

    server.answer("UID FETCH .*PEEK", renumbered)
    case.after_fault(case.run())
    ran = case.run()
    assert (0, 0) == (ran.tap, ran.target), ran
    folder = ran.states[-1]["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"]
    assert (2, max(uids)) == (folder["uidvalidity"], folder["last_uid"])
    found = listing(case.path)
    assert found.items() <= both.expected.items()
    ids = {json.loads(path.read_bytes())["message_id"] for path in case.path.rglob("alice/*/*/*.json")}
    assert {f"<{1000 + uid}@example.org>" for uid in uids} <= ids
    assert len(uids) < len(ids)  # some of the old came before


def test_expunged_between_search_and_fetch(
    memory: Path, warm: Warm, make_imap_script: Callable[..., ImapScript], whole: Source
) -> None:
    """What is gone is gone; everything else is archived, and the run is whole."""
    server = make_imap_script({"INBOX": box()})
    accounts = [imap_account(server)]

    def expunge(_command: Command, usual: bytes) -> bytes:
        for uid in (3, 4, 5, 39):
            server.folders["INBOX"].messages.pop(uid, None)
        return usual

    server.answer("UID SEARCH", expunge)
    case = Case(memory / "case", warm, accounts)
    ran = case.run()
    assert (0, 0) == (ran.tap, ran.target), ran
    case.after_fault(ran)
    left = undisturbed(memory / "left", warm, accounts)
    assert left.expected.items() <= whole.expected.items()
    case.restart(left.expected)


ENDLESS = {
    "untagged responses": b"* OK still here\r\n" * 2000,
    "one line": b"* OK " + b"x" * 60_000,
    "one literal": b"* 1 FETCH (UID 1 BODY[] {4000000000}\r\n" + b"x" * 60_000,
}


@pytest.mark.parametrize("endless", ENDLESS)
def test_endless_answer(
    memory: Path, warm: Warm, make_imap_script: Callable[..., ImapScript], whole: Source, endless: str
) -> None:
    """A server that never comes to an end: a signal ends the run within 5 seconds, and nothing is lost."""
    server = make_imap_script({"INBOX": box()})
    text = ENDLESS[endless]
    server.answer("UID FETCH .*PEEK", text, times=1)

    def on_and_on(data: bytes) -> Iterator[bytes]:
        yield data
        while text[-1000:] in data:
            yield text[-60_000:]
            time.sleep(0.01)  # the pace of the server: without end, but not more than memory holds

    with Relay(server.port, on_and_on) as relay:
        case = Case(memory / "case", warm, [imap_account(relay)], whole.promised, commit_messages=7)
        live = case.start()
        wait_until(lambda: b"BODY.PEEK" in relay.said)
        live.tap.send_signal(signal.SIGTERM)
        assert 143 == live.tap.wait(6)
        case.after_fault(live.finish())
        relay.pieces = lambda data: [data]
        server.answer("UID FETCH .*PEEK", lambda _, usual: usual)
        case.restart(whole.expected)


def test_slow_loris(memory: Path, warm: Warm, dovecot: Dovecot, user: User, mailbox: Source) -> None:
    """A server that sends an octet now and then is left when a signal comes; the next run brings the rest."""

    def trickle(data: bytes) -> Iterator[bytes]:
        for number in range(len(data)):
            yield data[number : number + 1]
            if b"BODY[]" in data:
                time.sleep(0.005)  # the pace of the server

    with Relay(dovecot.port, trickle) as relay:
        case = Case(memory, warm, [imap_account(relay, user)], mailbox.promised, commit_messages=7)
        live = case.start()
        wait_until(lambda: b"BODY.PEEK" in relay.said)
        live.tap.send_signal(signal.SIGTERM)
        assert 143 == live.tap.wait(6)
        case.after_fault(live.finish())
        relay.pieces = lambda data: [data]
        case.restart(mailbox.expected)
