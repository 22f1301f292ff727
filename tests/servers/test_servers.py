"""The servers of tests/servers do what the tests rely on."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable

import imapclient
import pytest
from imapclient.exceptions import IMAPClientError, LoginError

from tests.servers.dovecot import AWKWARD_PASSWORD, Dovecot
from tests.servers.imap_script import CLOSE, ImapScript, Mailbox, Message
from tests.servers.proxy import Proxy

MAIL = b"Subject: hello\r\nMessage-ID: <1@example.org>\r\n\r\nhello, world\r\n"


def connect(port: int, host: str = "127.0.0.1") -> imapclient.IMAPClient:
    client = imapclient.IMAPClient(host, port, ssl=False, timeout=10)
    client._imap.debug = 0
    return client


def test_dovecot_keeps_octets_flags_and_date(dovecot: Dovecot) -> None:
    """What a test puts in comes out; looking at flags changes none."""
    user = dovecot.new_user()
    when = dt.datetime(2026, 6, 5, 10, 30, 45, tzinfo=dt.UTC)
    uid = dovecot.append(user, "Entwürfe/日本語", MAIL, ["\\Flagged", "$Label"], when)
    before = dovecot.flags(user, "Entwürfe/日本語")
    with dovecot.client(user) as client:
        client.normalise_times = False
        client.select_folder("Entwürfe/日本語", readonly=True)
        item = client.fetch([uid], ["BODY.PEEK[]", "INTERNALDATE"])[uid]
    assert (item[b"BODY[]"], item[b"INTERNALDATE"]) == (MAIL, when)
    assert before == dovecot.flags(user, "Entwürfe/日本語") == {uid: {"\\Flagged", "$Label", "\\Recent"}}


def test_dovecot_verifies_by_both_kinds_of_tls_and_takes_awkward_passwords(dovecot: Dovecot) -> None:
    """`ca_file` verifies the server by name and by address; a wrong password is refused at once."""
    user = dovecot.new_user(AWKWARD_PASSWORD)
    context = ssl.create_default_context(cafile=dovecot.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with imapclient.IMAPClient("localhost", dovecot.tls_port, ssl_context=context) as client:
        client.plain_login(user.name, user.password)
    with connect(dovecot.port) as client:
        client.starttls(context)
        with pytest.raises(LoginError):
            client.plain_login(user.name, "wrong")
    with pytest.raises(ssl.SSLCertVerificationError):
        imapclient.IMAPClient("localhost", dovecot.tls_port, ssl_context=ssl.create_default_context())


def test_dovecot_changes_uidvalidity_in_three_ways(dovecot: Dovecot) -> None:
    """Messages and UIDs kept, UIDs renumbered, folder made anew."""
    user = dovecot.new_user()
    dovecot.fill(user, "Work", [MAIL] * 3)
    first = dovecot.status(user, "Work")["uidvalidity"]
    dovecot.set_uidvalidity(user, "Work", 4711)
    assert (dovecot.status(user, "Work")["uidvalidity"], dovecot.uids(user, "Work")) == (4711, [1, 2, 3])
    dovecot.expunge(user, "Work", [1])
    assert dovecot.renumber(user, "Work") != 4711
    assert dovecot.uids(user, "Work") == [1, 2]
    assert dovecot.reset_folder(user, "Work") not in {first, 4711}
    assert dovecot.uids(user, "Work") == []


def test_dovecot_with_other_settings(make_dovecot: Callable[..., Dovecot]) -> None:
    """Separator, prefix and plugins are the test's choice."""
    server = make_dovecot(separator=".", prefix="INBOX.", plugins=["zlib", "imap_zlib"])
    user = server.new_user()
    server.append(user, "INBOX.Sent.2026", MAIL)
    with server.client(user) as client:
        assert b"COMPRESS=DEFLATE" in client.capabilities()
        assert {name: delimiter for _, delimiter, name in client.list_folders()}["INBOX.Sent.2026"] == b"."
    assert server.message_path(user, "INBOX.Sent.2026", 1).read_bytes() == MAIL.replace(b"\r\n", b"\n")


def test_dovecot_password_change_and_locked_message(dovecot: Dovecot) -> None:
    """A new password holds at once; a locked message cannot be fetched, until unlocked."""
    user = dovecot.new_user()
    uid = dovecot.append(user, "INBOX", MAIL)
    user = dovecot.set_password(user, "another-fake")
    unlock = dovecot.lock_message(user, "INBOX", uid)
    with connect(dovecot.port) as client:
        client.plain_login(user.name, user.password)
        client.select_folder("INBOX", readonly=True)
        with pytest.raises(IMAPClientError):
            client.fetch([uid], ["BODY.PEEK[]"])
    unlock()
    with dovecot.client(user) as client:
        client.select_folder("INBOX", readonly=True)
        assert client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"] == MAIL


def test_proxy_passes_on_and_counts(dovecot: Dovecot, proxy: Proxy) -> None:
    """Untouched, it is not noticed; it keeps no password."""
    user = dovecot.new_user("fake-pass word")
    big = b"Subject: big\r\n\r\n" + b"x" * 1_000_000 + b"\r\n"
    with connect(proxy.port) as client:
        client.login(user.name, user.password)
        client.append("INBOX", big)
        client.select_folder("INBOX")
        assert client.fetch([1], ["BODY.PEEK[]"])[1][b"BODY[]"] == big
    assert (proxy.connections, proxy.count("UID FETCH"), proxy.count("LOGIN")) == (1, 1, 1)
    assert "fake" not in repr(proxy.commands)


@pytest.mark.parametrize("how", ["octets", "pattern"])
def test_proxy_cuts_once(dovecot: Dovecot, proxy: Proxy, how: str) -> None:
    """The connection ends in the middle of a literal; the next one is whole."""
    user = dovecot.new_user()
    dovecot.fill(user, "INBOX", [MAIL, b"Subject: big\r\n\r\n" + b"x" * 300_000 + b"MARK" + b"y" * 300_000])
    if how == "octets":
        proxy.cut_after(200_000)
    else:
        proxy.cut_at(b"MARK")
    for attempt in range(2):
        with connect(proxy.port) as client:
            client.plain_login(user.name, user.password)
            client.select_folder("INBOX", readonly=True)
            if attempt == 0:
                with pytest.raises((IMAPClientError, OSError)):
                    client.fetch([1, 2], ["BODY.PEEK[]"])
                client._imap.state = "LOGOUT"
            else:
                assert len(client.fetch([1, 2], ["BODY.PEEK[]"])) == 2
    assert (proxy.cuts, proxy.connections) == (1, 2)


def test_proxy_answers_itself(dovecot: Dovecot, proxy: Proxy) -> None:
    """A refused command never reaches the server, the others do; the answer never lands in a literal."""
    user = dovecot.new_user()
    dovecot.fill(user, "INBOX", [MAIL, b"Subject: big\r\n\r\n" + b"x" * 3_000_000, MAIL])
    proxy.refuse(rb"UID FETCH 3 ", b"NO [SERVERBUG] Internal error")
    with connect(proxy.port) as client:
        client.plain_login(user.name, user.password)
        client.select_folder("INBOX", readonly=True)
        # Two commands at once: the answer to the second has to wait for the megabytes of the first.
        client._imap.send(b"Z1 UID FETCH 2 (BODY.PEEK[])\r\nZ2 UID FETCH 3 (BODY.PEEK[])\r\nZ3 NOOP\r\n")
        received = b""
        while not (b"Z2 NO" in received and b"Z3 OK" in received):  # in either order
            received += client._imap.file.readline()
        assert b"Z2 NO [SERVERBUG] Internal error\r\n" in received
        assert received.index(b"Z1 OK") < received.index(b"Z2 NO")
        assert received.count(b"x") == 3_000_000
        assert len(client.fetch([1, 2], ["BODY.PEEK[]"])) == 2


def test_script_serves_a_mailbox(make_imap_script: Callable[..., ImapScript]) -> None:
    """A client reads it like any other server; quirks are switched on one by one."""
    odd = Mailbox(
        {7: Message(MAIL, ("\\Seen",), extra={"X-GM-MSGID": "1278455344230334865"}), 9: Message(None)},
        uidvalidity=42, literal_first=True, missing=frozenset({"INTERNALDATE"}), list_flags=("\\All",),
    )  # fmt: skip
    server = make_imap_script({"INBOX": Mailbox(), 'Entwürfe "x"': odd}, capability="IMAP4rev1 X-GM-EXT-1")
    with connect(server.port) as client:
        client.login("me", "fake-secret")
        assert [name for *_, name in client.list_folders()] == ["INBOX", 'Entwürfe "x"']
        assert client.folder_status('Entwürfe "x"', ["UIDVALIDITY"])[b"UIDVALIDITY"] == 42
        assert client.select_folder('Entwürfe "x"', readonly=True)[b"UIDNEXT"] == 10
        assert client.search(["UID", "100:*"]) == [9]
        items = client.fetch([7, 9], ["INTERNALDATE", "X-GM-MSGID", "BODY.PEEK[]"])
        assert items[7][b"BODY[]"] == MAIL
        assert items[7][b"X-GM-MSGID"] == 1278455344230334865
        assert b"INTERNALDATE" not in items[7]
        assert items[9][b"BODY[]"] is None
        server.answer("NOOP", lambda command, usual: b"* 1 EXPUNGE\r\n" + usual, times=1)
        assert client.noop()[1] == [(1, b"EXPUNGE")]
    assert "fake-secret" not in repr(server.commands)


def test_script_hangs_up_and_refuses(make_imap_script: Callable[..., ImapScript]) -> None:
    """Instructions replace answers, for so many times."""
    server = make_imap_script()
    server.answer("LOGIN", "{tag} NO [AUTHENTICATIONFAILED] no\r\n", times=1)
    server.answer("EXAMINE", CLOSE)
    with connect(server.port) as client:
        with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
            client.login("me", "fake-secret")
        client.login("me", "fake-secret")
        with pytest.raises((IMAPClientError, OSError)):
            client.select_folder("INBOX", readonly=True)
        client._imap.state = "LOGOUT"
    assert server.count("LOGIN") == 2
