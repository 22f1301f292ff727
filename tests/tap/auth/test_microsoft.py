"""Microsoft's tokens, through the real msal: for persons and applications, and what refusals say."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tap_mailbox.auth.microsoft import IMAP_APPLICATION_SCOPE, IMAP_SCOPE, scopes
from tap_mailbox.errors import CredentialError, Unavailable
from tests.tap.auth.accounts import ANN, account, credential, legacy, microsoft, write

GRAPH = "https://graph.microsoft.com/Mail.Read"


def posts(entra) -> list:
    """The token requests so far."""
    return [each for each in entra.requests if each.grant_type]


@pytest.mark.parametrize("public", [True, False])
def test_delegated(tmp_path, entra, public):
    """A legacy token file is renewed, with a secret where there is one, and written back with its keys."""
    app = entra.new_app(public=public)
    file = legacy(tmp_path / "token.json", entra.new_refresh_token(app), note="kept")
    ann = microsoft(tmp_path, entra, app)
    assert (ANN, True, app.client_id) == (ann.username, ann.delegated, ann.client)
    token = ann.token()
    grant = entra.check(token)
    assert (ANN, (GRAPH,)) == (grant.mailbox, grant.scopes)
    assert ["" if public else "secret"] == [each.credential for each in posts(entra)]
    written = json.loads(file.read_text())
    assert token == written["access_token"]
    assert "kept" == written["note"]
    assert ann.expires.isoformat(timespec="seconds") == written["expires_at"]
    assert 0o600 == file.stat().st_mode & 0o777
    # The refresh token that came is the one that is used next.
    entra.single_use = True
    assert token != ann.token(rejected=token)
    assert token != ann.token(rejected=ann.token())


def test_live_token_of_the_file_is_used(tmp_path, entra):
    """Another run asks nobody, until the token is about to expire or is rejected."""
    app = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    token = microsoft(tmp_path, entra, app).token()
    again = microsoft(tmp_path, entra, app)
    assert token == again.token()
    assert 1 == entra.refreshes
    assert token != again.token(rejected=token)
    assert 2 == entra.refreshes


@pytest.mark.parametrize(("lifetime", "renewals"), [(3600, 1), (290, 1), (0, 2)])
def test_renewed_before_it_expires(tmp_path, entra, lifetime, renewals):
    """Five minutes before its end, or at half its life if that is shorter: not at every question."""
    app = entra.new_app()
    entra.expires_in = lifetime
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    ann = microsoft(tmp_path, entra, app)
    ann.token()
    ann.token()
    assert renewals == entra.refreshes


def test_rejected_token_of_another_reader(tmp_path, entra):
    """Who comes with an old token that somebody has replaced meanwhile gets the new one, without a request."""
    app = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    ann, reader = microsoft(tmp_path, entra, app), microsoft(tmp_path, entra, app)
    old = reader.token()
    new = ann.token(rejected=old)
    assert (new, new) == (reader.token(rejected=old), ann.token(rejected=old))
    assert 2 == entra.refreshes


def test_token_of_other_scopes_is_not_used(tmp_path, entra):
    """One token file may serve Graph and IMAP; each takes tokens for itself from it."""
    app = entra.new_app()
    legacy(
        tmp_path / "token.json", entra.new_refresh_token(app, scopes=[GRAPH, IMAP_SCOPE, "offline_access"])
    )
    graph = microsoft(tmp_path, entra, app).token()
    imap = microsoft(tmp_path, entra, app, protocol="imap").token()
    assert ((GRAPH,), (IMAP_SCOPE,)) == (entra.check(graph).scopes, entra.check(imap).scopes)


def test_public_client_with_a_secret(tmp_path, entra):
    """A secret that the application does not have is left out the second time (700025)."""
    app = entra.new_app(public=True)
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    microsoft(tmp_path, entra, app)
    write(tmp_path / "app.json", client_id=app.client_id, client_secret="fake-other", tenant_id=app.tenant)
    method = {"method": "msal", "app_file": "app.json", "token_file": "token.json"}
    settings = {"authority": entra.authority, "ca_file": str(entra.ca_file), "protocol": "graph"}
    assert entra.check(credential(tmp_path, method, **settings).token())
    assert ["secret", ""] == [each.credential for each in posts(entra)]


def test_application(tmp_path, entra):
    """Without a token file the application signs in as itself; nothing is written."""
    app = entra.new_app("contoso.example", app_permissions=True)
    service = microsoft(tmp_path, entra, app, token_file=None)
    assert (False, app.client_id) == (service.delegated, service.client)
    token = service.token()
    assert ("https://graph.microsoft.com/.default",) == entra.check(token).scopes
    assert token == service.token()
    assert token != service.token(rejected=token)
    assert ["app.json"] == [each.name for each in tmp_path.iterdir()]


@pytest.mark.parametrize("passphrase", [None, "fake-passphrase"])
def test_certificate(tmp_path, entra, passphrase):
    """A key and its certificate in one PEM file beside the application file do instead of a secret."""
    certificate = write_certificate(tmp_path / "app.pem", passphrase)
    app = entra.new_app("contoso.example", secret=None, certificate=certificate, app_permissions=True)
    fields = {"client_id": app.client_id, "tenant_id": app.tenant, "certificate_file": "app.pem"}
    write(tmp_path / "app.json", **fields, passphrase=passphrase)
    settings = {"authority": entra.authority, "ca_file": str(entra.ca_file), "protocol": "graph"}
    assert entra.check(credential(tmp_path, {"method": "msal", "app_file": "app.json"}, **settings).token())
    assert ["assertion"] == [each.credential for each in posts(entra)]


@pytest.mark.parametrize(
    ("more", "delegated", "expected"),
    [
        ({"protocol": "imap"}, True, [IMAP_SCOPE]),
        ({"protocol": "imap"}, False, [IMAP_APPLICATION_SCOPE]),
        ({}, True, [GRAPH]),
        ({"graph_url": "https://graph.microsoft.us/v1.0"}, True, ["https://graph.microsoft.us/Mail.Read"]),
        (
            {"graph_url": "https://dod-graph.microsoft.us/v1.0"},
            False,
            ["https://dod-graph.microsoft.us/.default"],
        ),
        (
            {"graph_url": "https://microsoftgraph.chinacloudapi.cn/v1.0"},
            True,
            ["https://microsoftgraph.chinacloudapi.cn/Mail.Read"],
        ),
        ({"graph_url": "https://127.0.0.1:8443/v1.0"}, True, [GRAPH]),
    ],
)
def test_scopes(tmp_path, more, delegated, expected):
    """Fully qualified, by the cloud of the Graph address."""
    method = {"method": "msal", "client_id": "fake-id", "token_file": "t.json" if delegated else None}
    parsed = account(tmp_path, method, **{"protocol": "graph", **more})
    assert expected == scopes(parsed, parsed.auth[0])


def test_scope_of_the_method(tmp_path):
    """It wins; scopes that msal adds by itself are left out of it."""
    scope = "offline_access https://outlook.office.com/IMAP.AccessAsUser.All openid profile"
    method = {"method": "msal", "client_id": "fake-id", "token_file": "t.json", "scope": scope}
    parsed = account(tmp_path, method)
    assert [IMAP_SCOPE] == scopes(parsed, parsed.auth[0])


LOGIN = "mailbox login ann"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("invalid_grant", 700082, ("AADSTS700082", "90 days", LOGIN)),
        ("invalid_grant", 50173, ("revoked", LOGIN)),
        ("invalid_grant", 50076, ("multi-factor", LOGIN)),
        ("invalid_grant", 70000, ("not valid", LOGIN)),
        ("invalid_grant", 65001, ("consented", LOGIN)),
        ("invalid_grant", 999999, ("invalid_grant", LOGIN)),
        ("interaction_required", None, ("interaction_required", LOGIN)),
        ("interaction_required", 50079, ("set up", LOGIN)),
        ("invalid_client", 7000215, ("value, not its id",)),
        ("invalid_client", 7000222, ("expired",)),
        ("invalid_client", None, ("secret is wrong",)),
        ("unauthorized_client", 700016, ("client_id",)),
        ("unauthorized_client", 9002346, ("consumers",)),
        ("weird_error", None, ("unknown error", LOGIN)),
    ],
)
def test_refusals(tmp_path, entra, error, code, words):
    """Each says what is wrong and the next step; the token file stays as it was."""
    app = entra.new_app()
    file = legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    before = file.read_bytes()
    ann = microsoft(tmp_path, entra, app)
    entra.fail_next(error, codes=[code] if code else [])
    with pytest.raises(CredentialError) as caught:
        ann.token()
    assert [] == [word for word in words if word not in str(caught.value)]
    assert before == file.read_bytes()


def test_refusal_is_not_remembered(tmp_path, entra):
    """Whoever asks again is heard again; msal alone would repeat the refusal for a minute."""
    app = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    ann = microsoft(tmp_path, entra, app)
    entra.fail_next("invalid_grant", codes=[70000])
    with pytest.raises(CredentialError):
        ann.token()
    assert ann.token()


@pytest.mark.parametrize("fault", ["temporarily_unavailable", 90033])
def test_refusals_that_pass(tmp_path, entra, fault):
    """Microsoft's words for a service that is down are no judgement of the credential."""
    app = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    entra.fail_next(
        "invalid_request" if isinstance(fault, int) else fault,
        codes=[fault] if isinstance(fault, int) else [],
    )
    ann = microsoft(tmp_path, entra, app)
    with pytest.raises(Unavailable):
        ann.token()
    assert ann.token()


def test_description_of_the_tenant_is_not_to_be_had(tmp_path, entra):
    """What msal asks first may fail as well."""
    app = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    ann = microsoft(tmp_path, entra, app)
    for fault in ({"status": 503}, {"body": b"<html>"}, {"body": b"{}"}):
        entra.fail_next(path="openid-configuration", **fault)
        with pytest.raises(Unavailable):
            ann.token()
    assert ann.token()


def test_unknown_tenant(tmp_path, entra):
    """A tenant that does not exist is a matter of the configuration."""
    app = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(app))
    microsoft(tmp_path, entra, app)
    write(tmp_path / "app.json", client_id=app.client_id, tenant_id="nowhere.example")
    method = {"method": "msal", "app_file": "app.json", "token_file": "token.json"}
    settings = {"authority": entra.authority, "ca_file": str(entra.ca_file)}
    with pytest.raises(CredentialError, match=r"'nowhere\.example'.*tenant_id"):
        credential(tmp_path, method, **settings).token()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (None, "cannot be read"),
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ('{"client_secret": "fake-secret"}', '"client_id"'),
        ('{"client_id": 7, "client_secret": "fake-secret"}', '"client_id"'),
        ('{"client_id": "a", "tenant_id": "b"}', "client_secret or a certificate_file"),
        ('{"client_id": "a", "client_secret": "fake-secret"}', "tenant_id 'common'"),
        (
            '{"client_id": "a", "client_secret": "fake-secret", "tenant_id": "a/b"}',
            "neither an id nor a domain",
        ),
        ('{"client_id": "a", "certificate_file": "none.pem", "tenant_id": "b"}', "none.pem"),
        ('{"client_id": "a", "certificate_file": "app.json", "tenant_id": "b"}', "no PEM"),
    ],
)
def test_broken_application_file(tmp_path, fields, words):
    """File and fault are named, secrets are not."""
    if fields is not None:
        (tmp_path / "app.json").write_text(fields)
    with pytest.raises(CredentialError) as caught:
        credential(tmp_path, {"method": "msal", "app_file": "app.json"}, protocol="graph")
    assert words in str(caught.value)
    assert "fake-secret" not in str(caught.value)


def write_certificate(path, passphrase: str | None) -> x509.Certificate:
    """Write a new key and its certificate as one PEM file; returns the certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake-app")])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + dt.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    cipher = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return certificate
