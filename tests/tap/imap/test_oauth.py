"""Signing in by access token: a real Dovecot with real tokens, and servers that behave like Exchange and Gmail."""

from __future__ import annotations

import base64
import json

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tests.servers.dovecot import User
from tests.servers.imap_script import CLOSE, Mailbox, Message
from tests.servers.proxy import Proxy
from tests.tap.imap.token_accounts import (
    Settings,
    application,
    exchange,
    generic,
    google,
    microsoft,
    run,
    service_account,
)
from tests.tap.runs import imap_account, mail, run_tap


@pytest.mark.parametrize("settings", [microsoft, application, google, service_account, generic])
def test_mail_is_read(tmp_path, world, settings: Settings):
    """With every kind of token, for the user the token is for; the password of the account is not needed."""
    user = world.dovecot.new_user()
    world.dovecot.append(user, "INBOX", mail(1))
    done = run(world, tmp_path, settings(tmp_path, world, user))
    assert (0, ["1"]) == (done.code, done.ids)
    assert done.report().credential in ("msal", "xoauth2")
    assert [] == done.report().warnings


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_mechanisms(tmp_path, world, make_dovecot, mechanism):
    """The one the server offers; also for a user name that is an address."""
    dovecot = make_dovecot(oauth=world.introspection.url, extra=f"auth_mechanisms = plain {mechanism}\n")
    user = dovecot.new_user(name="ann@outlook.example")
    dovecot.append(user, "INBOX", mail(1))
    done = run(world, tmp_path, generic(tmp_path, world, user), server=dovecot)
    assert (0, ["1"]) == (done.code, done.ids)


@pytest.mark.parametrize(
    ("capability", "expected", "farewell"),
    [
        ("AUTH=OAUTHBEARER AUTH=XOAUTH2", "user=a=b,c\1auth=Bearer {token}\1\1", b""),
        ("AUTH=OAUTHBEARER", "n,a=a=3Db=2Cc,\1host=127.0.0.1\1port={port}\1auth=Bearer {token}\1\1", b"\1"),
    ],
)
def test_what_is_said(tmp_path, world, make_imap_script, capability, expected, farewell):
    """XOAUTH2 where it is offered; one message, one empty answer to the server's reasons, and no token again."""
    server = make_imap_script(capability=f"IMAP4rev1 {capability}")
    said: list[bytes] = []
    reasons = base64.b64encode(b'{"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"}')
    with Proxy(server.port) as between:
        between.on_client_line = said.append
        server.answer("AUTHENTICATE", f"+ {reasons.decode()}\r\n{{tag}} NO [ALERT] Invalid credentials\r\n")
        done = run(world, tmp_path, generic(tmp_path, world, User("a=b,c", "")), server=between)
    token = json.loads((tmp_path / "token.json").read_text())["access_token"]
    at = [number for number, line in enumerate(said) if b"AUTHENTICATE" in line]
    assert 2 == len(at)
    assert expected.format(token=token, port=between.port) == base64.b64decode(said[at[1] + 1]).decode()
    assert farewell == base64.b64decode(said[at[1] + 2])
    assert 3 == done.code
    (failure,) = done.report().failures
    assert [] == [each for each in ("status 400", "scope https://mail.google.com/") if each not in failure]
    assert [] == [each for each in (token, "a=b,c", "=3D") if each in failure]


def test_server_that_repeats_secrets(tmp_path, world, make_imap_script, caplog):
    """Neither its words nor its JSON bring the token, the message or the user into a text of ours."""
    token = "fake-token-Zq7"
    encoded = base64.b64encode(f"user=ann.zq7\1auth=Bearer {token}\1\1".encode()).decode()
    reasons = base64.b64encode(json.dumps({"status": token, "scope": f"a {token}"}).encode()).decode()
    server = exchange(make_imap_script)
    server.answer(
        "AUTHENTICATE", f"+ {reasons}\r\n{{tag}} NO {token} {encoded} for ann.zq7 zq7@a.example\r\n"
    )
    settings = generic(tmp_path, world, User("ann.zq7", ""))
    answer = json.dumps({"access_token": token, "expires_in": 3600}).encode()
    world.server.fail_next(body=answer, times=2)
    done = run(world, tmp_path, settings, server=server)
    assert (3, 2) == (done.code, server.count("AUTHENTICATE"))
    said = caplog.text + str(done.tap.outcomes)
    assert "XOAUTH2 refused" in said
    assert [] == [each for each in (token, encoded, "ann.zq7", "zq7@") if each in said]


@pytest.mark.parametrize("settings", [microsoft, google])
def test_dead_token(tmp_path, world, settings: Settings):
    """A token that died before its time is renewed once, and the mail is read."""
    user = world.dovecot.new_user()
    world.dovecot.append(user, "INBOX", mail(1))
    chosen = settings(tmp_path, world, user)
    run(world, tmp_path, chosen)
    file = tmp_path / "token.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "access_token": "fake-dead"}))
    done = run(world, tmp_path, chosen)
    assert (0, ["1"], []) == (done.code, done.ids, done.report().warnings)
    assert "fake-dead" not in file.read_text()


def test_wrong_user_falls_back(tmp_path, world, caplog):
    """Refused with a new token as well, the method is done; the next one is used, with a warning that says why."""
    user, other = world.dovecot.new_user(), world.dovecot.new_user()
    world.dovecot.append(user, "INBOX", mail(1))
    settings = google(tmp_path, world, other)
    settings["auth"][0]["username"] = user.name
    before = world.server.refreshes
    settings["auth"].append({"method": "password", "username": user.name, "password": user.password})
    done = run(world, tmp_path, settings)
    assert (0, ["1"], "password") == (done.code, done.ids, done.report().credential)
    (warning,) = done.report().warnings
    assert [] == [each for each in ("xoauth2", "status 401", "username", "scope") if each not in warning]
    assert "AUTHENTICATIONFAILED" in warning
    assert 2 == world.server.refreshes - before
    written = json.loads((tmp_path / "token.json").read_text())
    for secret in (written["access_token"], written["refresh_token"], user.password):
        assert secret not in caplog.text + str(done.tap.outcomes)


def test_line_that_breaks_during_the_sign_in(tmp_path, world, make_imap_script):
    """Is no judgement of the token: the same one is presented on the next connection."""
    server = exchange(make_imap_script)
    server.answer("AUTHENTICATE", CLOSE, times=2)
    before = world.server.refreshes
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=server)
    assert (0, ["4"]) == (done.code, done.ids)
    assert (3, 1) == (server.count("AUTHENTICATE"), world.server.refreshes - before)


def test_server_that_asks_on(tmp_path, world, make_imap_script):
    """A server that never ends the exchange is given up."""
    server = exchange(make_imap_script)
    server.answer("AUTHENTICATE", "+ e30=\r\n" * 5, times=1)
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=server)
    assert (0, ["4"]) == (done.code, done.ids)


NOT_CONNECTED = "{tag} BAD User is authenticated but not connected.\r\n"


def test_authenticated_but_not_connected_for_once(tmp_path, world, make_imap_script):
    """Exchange takes the token and has no mailbox for it: tried once more, with a new token."""
    server = exchange(make_imap_script)
    server.answer("LIST", NOT_CONNECTED, times=1)
    before = world.server.refreshes
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=server)
    assert (0, ["4"]) == (done.code, done.ids)
    assert (2, 2) == (server.count("AUTHENTICATE"), world.server.refreshes - before)


@pytest.mark.parametrize("command", ["LIST", "ID|LIST"])
def test_authenticated_but_not_connected(tmp_path, world, make_imap_script, command):
    """For good, it is an error of its own, and not repeated: what may be wrong is named."""
    server = exchange(make_imap_script)
    server.answer(command, NOT_CONNECTED)
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=server)
    (failure,) = done.report().failures
    assert [] == [each for each in ("not connected", "scope", "IMAP switched off") if each not in failure]
    assert (3, 2) == (done.code, server.count("AUTHENTICATE"))


def test_password_and_not_connected(make_imap_script):
    """Exchange does the same with a wrong password; that too is said, and not repeated."""
    server = make_imap_script()
    server.answer("LIST", NOT_CONNECTED)
    done = run_tap([imap_account(server)])
    assert "not connected" in done.report().failures[0]
    assert (3, 1) == (done.code, server.count("LOGIN"))


def test_not_connected_any_more(make_imap_script):
    """In the middle of a run it is Exchange's own trouble: a new connection goes on."""
    server = make_imap_script({"A": Mailbox({4: Message(mail(4))}), "B": Mailbox({5: Message(mail(5))})})
    server.answer("EXAMINE .*B", NOT_CONNECTED, times=1)
    done = run_tap([imap_account(server)])
    assert (0, ["4", "5"], 2) == (done.code, done.ids, server.count("LOGIN"))


def test_no_such_mechanism(tmp_path, world, make_imap_script):
    """A server without OAuth is named; no token is renewed for its sake."""
    before = world.server.refreshes
    done = run(world, tmp_path, generic(tmp_path, world, User("ann", "")), server=make_imap_script())
    assert "neither AUTH=XOAUTH2 nor AUTH=OAUTHBEARER" in done.report().failures[0]
    assert (3, 1) == (done.code, world.server.refreshes - before)


def test_no_user_name(tmp_path, world, make_imap_script):
    """SASL needs one: the account's email or the method's username."""
    settings = generic(tmp_path, world, User("ann", ""))
    del settings["auth"][0]["username"]
    with pytest.raises(ConfigValidationError) as caught:
        run(world, tmp_path, {**settings, "email": None}, server=exchange(make_imap_script))
    assert "set email" in caught.value.errors[0]
