"""Access tokens in a run's life: an endpoint that fails, tokens that expire, and what is kept meanwhile."""

from __future__ import annotations

from tap_mailbox.sources.imap import session
from tests.servers.dovecot import User
from tests.servers.imap_script import CLOSE, Mailbox, Message
from tests.tap.imap.token_accounts import exchange, generic, run
from tests.tap.runs import mail


def test_no_token_now(tmp_path, world, make_imap_script):
    """A token endpoint that fails is asked again, like a mail server that is down; nothing else is blamed."""
    server = exchange(make_imap_script)
    world.server.fail_next(status=503, times=3)
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=server)
    assert (0, ["4"], []) == (done.code, done.ids, done.report().warnings)
    world.server.fail_next(status=503, times=None)
    world.server.requests.clear()
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=server)
    assert (3, session.MAX_RECONNECTS + 1) == (done.code, len(world.server.requests))
    assert "503" in done.report().failures[0]
    assert 1 == server.connections


def test_no_token_now_and_another_method(tmp_path, world, make_imap_script):
    """Where there is another method it is used at once, and the summary says why."""
    server = exchange(make_imap_script)
    world.server.fail_next(status=503)
    settings = generic(tmp_path, world, User("ann", ""))
    settings["auth"].append({"method": "password", "username": "ann", "password": "fake-secret"})
    done = run(world, tmp_path, settings, server=server)
    assert (0, ["4"], "password") == (done.code, done.ids, done.report().credential)
    assert ["503" in warning for warning in done.report().warnings] == [True]


def test_no_token_now_and_a_wrong_password(tmp_path, world, make_imap_script):
    """A refused password is not tried again, the token endpoint is; the method that works is the one named."""
    server = exchange(make_imap_script)
    server.answer("LOGIN", "{tag} NO [AUTHENTICATIONFAILED] wrong\r\n")
    world.server.fail_next(status=503, times=2)
    settings = generic(tmp_path, world, User("ann", ""))
    settings["auth"].append({"method": "password", "username": "ann", "password": "fake-secret"})
    done = run(world, tmp_path, settings, server=server)
    assert (0, ["4"], "xoauth2") == (done.code, done.ids, done.report().credential)
    assert (1, []) == (server.count("LOGIN"), done.report().warnings)


def test_refused_refresh_token(tmp_path, world, make_imap_script):
    """Ends the account at once and says what to do; the mail server is not asked."""
    server = exchange(make_imap_script)
    settings = generic(tmp_path, world, User("ann", ""))
    world.server.fail_next("invalid_grant")
    done = run(world, tmp_path, settings, server=server)
    assert "mailbox login alice" in done.report().failures[0]
    assert (3, 0) == (done.code, server.connections)


def test_token_that_expires_during_the_run(tmp_path, world, make_imap_script):
    """A connection that breaks hours later is replaced with a token that is live then."""
    server = exchange(make_imap_script)
    server.answer("UID FETCH", CLOSE, times=1)
    world.server.expires_in = 0
    before = world.server.refreshes
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=server)
    assert (0, ["4"]) == (done.code, done.ids)
    assert (2, 2) == (server.count("AUTHENTICATE"), world.server.refreshes - before)


def test_token_of_an_application_is_kept(tmp_path, world, make_imap_script):
    """Where no file keeps it, a connection that breaks does not cost a token either."""
    server = exchange(make_imap_script)
    server.answer("UID FETCH", CLOSE, times=1)
    client = world.server.new_client()
    fields = {
        "client_id": client.client_id,
        "client_secret": client.secret,
        "token_url": world.server.token_url,
    }
    settings = {
        "auth": [{"method": "xoauth2", **fields, "scope": "imap"}],
        "ca_file": str(world.server.ca_file),
    }
    done = run(world, tmp_path, settings, server=server)
    assert (0, ["4"]) == (done.code, done.ids)
    assert (2, 1) == (server.count("AUTHENTICATE"), len(world.server.requests))


def test_method_that_worked_is_kept(tmp_path, world, make_imap_script):
    """More connections, and those that replace broken ones, begin with it; the refused one is left alone."""
    server = exchange(make_imap_script)
    server.folders = {name: Mailbox({4: Message(mail(name))}) for name in ("INBOX", "B", "C", "D")}
    server.answer("LOGIN", "{tag} NO [AUTHENTICATIONFAILED] wrong\r\n")
    server.answer("UID FETCH", CLOSE, times=1)
    settings = generic(tmp_path, world, User("ann", ""))
    settings["auth"].insert(0, {"method": "password", "username": "ann", "password": "fake-secret"})
    before = world.server.refreshes
    done = run(world, tmp_path, {**settings, "connections": 3}, server=server)
    assert (0, 4, "xoauth2") == (done.code, len(done.ids), done.report().credential)
    assert (1, 1) == (server.count("LOGIN"), world.server.refreshes - before)
