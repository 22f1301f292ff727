"""Signing in to a real Dovecot: passwords of all kinds, TLS, methods that fail."""

from __future__ import annotations

import pytest

from tests.tap.runs import imap_account, mail, run_tap


def test_one_failing_account_stops_no_other(account, dovecot):
    """A wrong password ends that account alone; the run is partial and the other's state is emitted."""
    wrong = imap_account(dovecot, dovecot.new_user(), name="wrong")
    wrong["auth"][0]["password"] = "not-this-one"
    missing = imap_account(
        dovecot,
        dovecot.new_user(),
        name="missing",
        auth=[{"method": "password", "credential_file": "nowhere.json"}],
    )
    run = run_tap([wrong, missing, account])
    assert 3 == run.code
    assert ["1", "2", "3", "4"] == sorted(run.ids)
    assert 3 == run.folders()["INBOX"]["last_uid"]
    assert "sign-in refused" in run.report("wrong").failures[0]
    assert "nowhere.json" in run.report("missing").failures[0]


def test_refused_password_is_tried_once(dovecot, proxy):
    """Servers lock accounts that try again and again."""
    wrong = imap_account(proxy, dovecot.new_user())
    wrong["auth"][0]["password"] = "not-this-one"
    assert 3 == run_tap([wrong]).code
    assert 1 == proxy.count("LOGIN")


def test_second_method_is_a_warning(account):
    """Falling back to another sign-in method works, is warned about and named in the summary."""
    account["auth"].insert(0, {"method": "password", "credential_file": "nowhere.json"})
    run = run_tap([account])
    assert (0, 4) == (run.code, len(run.records))
    assert any("fell back" in line and "nowhere.json" in line for line in run.report().warnings)


@pytest.mark.parametrize("password", ["with space", 'quo"te', "back\\slash", "pässwörd", "密码"])
def test_passwords_of_all_kinds(dovecot, password):
    """LOGIN carries ASCII, whatever its punctuation; anything else goes by SASL PLAIN in UTF-8."""
    user = dovecot.new_user(password=password)
    dovecot.append(user, "INBOX", mail(1))
    assert ["1"] == run_tap([imap_account(dovecot, user)]).ids


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_tls_is_verified(account, dovecot, tls):
    """With its authority the server is trusted, without it nothing is sent, least of all the password."""
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    secure = {**account, "tls": tls, "port": port, "host": "localhost"}
    assert 4 == len(run_tap([{**secure, "ca_file": str(dovecot.ca_file)}]).records)
    refused = run_tap([secure])
    assert 3 == refused.code
    assert "not trusted" in refused.report().failures[0]


def test_no_tls_at_that_port(make_imap_script):
    """A server that greets in clear where TLS was expected: which settings to look at is said."""
    run = run_tap([imap_account(make_imap_script(), tls="implicit")])
    assert 3 == run.code
    assert "check port and tls" in run.report().failures[0]
