"""Google's tokens, through the real google-auth: for persons and service accounts."""

from __future__ import annotations

import json

import pytest

from tap_mailbox.errors import CredentialError, Unavailable
from tests.tap.auth.accounts import credential, google, write

GMAIL = "https://mail.google.com/"
IMAP_ADMIN = "https://www.googleapis.com/auth/gmail.imap_admin"


@pytest.mark.parametrize("kind", ["web", "installed"])
def test_person(tmp_path, oauth, kind):
    """Both kinds of client file, and the token file of an earlier sign-in, are read as they are."""
    client = oauth.new_client()
    refresh_token = oauth.new_refresh_token(client)
    oauth.write_client_file(tmp_path / "client.json", client, kind)
    file = oauth.write_token_file(tmp_path / "token.json", refresh_token)
    before = json.loads(file.read_text())
    ann = google(tmp_path, oauth)
    token = ann.token()
    assert (GMAIL,) == oauth.check(token).scopes
    assert (True, client.client_id) == (ann.delegated, ann.client)
    written = json.loads(file.read_text())
    assert (token, refresh_token) == (written["access_token"], written["refresh_token"])
    assert before.items() - {("access_token", "fake-expired")} <= written.items()
    assert token == google(tmp_path, oauth).token()
    assert 1 == oauth.refreshes


def test_new_refresh_token_is_kept(tmp_path, oauth):
    """Where one comes with the answer, it replaces the old one before the access token is used."""
    oauth.rotate = True
    client = oauth.new_client()
    oauth.write_client_file(tmp_path / "client.json", client)
    oauth.write_token_file(tmp_path / "token.json", oauth.new_refresh_token(client))
    ann = google(tmp_path, oauth)
    token = ann.token()
    assert ann.token(rejected=token)


@pytest.mark.parametrize("scope", [None, IMAP_ADMIN])
def test_service_account(tmp_path, oauth, scope):
    """It acts for the account's email; the scope may be the one that shows every label."""
    service = oauth.new_service_account(["ann@outlook.example"], [GMAIL, IMAP_ADMIN])
    oauth.write_key_file(tmp_path / "key.json", service)
    method = {"method": "xoauth2", "service_account_file": "key.json", "scope": scope}
    found = credential(tmp_path, method, ca_file=str(oauth.ca_file))
    grant = oauth.check(found.token())
    assert ("ann@outlook.example", (scope or GMAIL,)) == (grant.mailbox, grant.scopes)
    assert (False, service.email, "ann@outlook.example") == (found.delegated, found.client, found.username)


def test_service_account_may_not(tmp_path, oauth):
    """Without delegation for the mailbox the error says where to grant it."""
    service = oauth.new_service_account(["bob@outlook.example"])
    oauth.write_key_file(tmp_path / "key.json", service)
    method = {"method": "xoauth2", "service_account_file": "key.json"}
    with pytest.raises(CredentialError, match="domain-wide delegation"):
        credential(tmp_path, method, ca_file=str(oauth.ca_file)).token()


@pytest.mark.parametrize(
    ("error", "more", "words"),
    [
        ("invalid_grant", {}, "mailbox login ann"),
        ("invalid_grant", {"error_subtype": "invalid_rapt"}, "from time to time"),
        ("invalid_client", {}, "secret is wrong"),
        ("deleted_client", {}, "create another"),
        ("invalid_scope", {}, "scope"),
        ("fake-invented", {}, "unknown error"),
    ],
)
def test_refusals(tmp_path, oauth, error, more, words):
    """Each says the next step."""
    ready(tmp_path, oauth)
    oauth.fail_next(error, **more)
    with pytest.raises(CredentialError) as caught:
        google(tmp_path, oauth).token()
    assert words in str(caught.value)
    assert "fake-" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"access_token": 7}',
        b'{"access_token": ""}',
        b'{"access_token": "fake\\r\\ntoken"}',
        b'{"access_token": 7, "scope": 7, "expires_in": {}}',
    ],
)
def test_nonsense(tmp_path, oauth, answer):
    """An answer without a token that a header could carry is a failure of the service."""
    ready(tmp_path, oauth)
    oauth.fail_next(body=answer)
    ann = google(tmp_path, oauth)
    with pytest.raises(Unavailable):
        ann.token()
    assert ann.token()


@pytest.mark.parametrize(("lifetime", "known"), [(b'"3600"', True), (b"null", False), (b'"soon"', False)])
def test_lifetime(tmp_path, oauth, lifetime, known):
    """Seconds may come as text; a lifetime that does not come leaves it to the mail server to refuse the token."""
    ready(tmp_path, oauth)
    oauth.fail_next(body=b'{"access_token": "fake-token", "expires_in": ' + lifetime + b"}")
    ann = google(tmp_path, oauth)
    assert ("fake-token", "fake-token") == (ann.token(), ann.token())
    assert known == (ann.expires is not None)
    # Another run cannot know how old it is.
    assert known == ("fake-token" == google(tmp_path, oauth).token())


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("client.json", {}, "another kind"),
        ("client.json", {"web": {"client_id": "a"}}, "client_secret"),
        ("token.json", {"access_token": "fake-token"}, "no refresh_token"),
    ],
)
def test_broken_files(tmp_path, oauth, name, fields, words):
    """File and fault are named."""
    ready(tmp_path, oauth)
    write(tmp_path / name, **fields)
    with pytest.raises(CredentialError) as caught:
        google(tmp_path, oauth).token()
    assert words in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "key", [{}, {"client_email": "a@b"}, {"client_email": "a@b", "private_key": "fake-key"}]
)
def test_broken_key_file(tmp_path, oauth, key):
    """A key that is none is named by its file, and not shown."""
    write(tmp_path / "key.json", **key)
    with pytest.raises(CredentialError, match=r"key\.json") as caught:
        credential(tmp_path, {"method": "xoauth2", "service_account_file": "key.json"}).token()
    assert "fake-key" not in str(caught.value)


def ready(tmp_path, oauth) -> None:
    """Write a client file and a token file that work."""
    client = oauth.new_client()
    oauth.write_client_file(tmp_path / "client.json", client)
    oauth.write_token_file(tmp_path / "token.json", oauth.new_refresh_token(client))
