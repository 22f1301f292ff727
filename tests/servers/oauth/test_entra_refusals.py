"""`Entra` refuses what Microsoft refuses, with its error and number."""

from __future__ import annotations

import time
from typing import Any

import jwt
import msal
import pytest
import requests
from cryptography.hazmat.primitives import hashes

from tests.servers.oauth import Entra
from tests.servers.oauth.assertions import certificate, encode, rsa_key
from tests.servers.oauth.clients import certificate_credential, msal_client, post

GRAPH = "https://graph.microsoft.com"
MAIL_READ = f"{GRAPH}/Mail.Read"
IMAP = "https://outlook.office.com/IMAP.AccessAsUser.All"
WORK = "contoso.example"


@pytest.mark.parametrize("kind", ["secret", "another certificate", "forged", "no JWT"])
def test_a_wrong_credential_is_refused(entra: Entra, session: requests.Session, kind: str) -> None:
    """Secret, certificate and signature are checked."""
    app = entra.new_app(WORK, certificate=certificate("app"), app_permissions=True)
    credentials: dict[str, Any] = {
        "secret": "wrong",
        "another certificate": certificate_credential("other"),
        "forged": certificate_credential("app", key="other"),
        "no JWT": {"client_assertion": lambda: "x.y.z"},
    }
    answer = msal_client(entra, app, session, credentials[kind]).acquire_token_for_client(
        [f"{GRAPH}/.default"]
    )
    code = 7000215 if kind == "secret" else 700027
    assert ("invalid_client", [code]) == (answer["error"], answer["error_codes"])


APP_ONLY = {"grant_type": "client_credentials", "client_secret": "fake-secret", "scope": f"{GRAPH}/.default"}
RENEW = {"grant_type": "refresh_token", "client_secret": "fake-secret"}
REFUSALS: dict[str, tuple[dict[str, Any], dict[str, str], str, int]] = {
    "no secret": ({}, {**RENEW, "client_secret": ""}, "invalid_client", 7000218),
    "a public client's secret": ({"public": True}, RENEW, "invalid_client", 700025),
    "an unknown client": ({}, {**RENEW, "client_id": "nobody"}, "unauthorized_client", 700016),
    "no grant type": ({}, {**RENEW, "grant_type": ""}, "invalid_request", 900144),
    "a strange grant type": ({}, {**RENEW, "grant_type": "password"}, "unsupported_grant_type", 70003),
    "personal application": ({}, APP_ONLY, "unauthorized_client", 50059),
    "application, delegated scope": (
        {"tenant": WORK},
        {**APP_ONLY, "scope": MAIL_READ},
        "invalid_scope",
        1002012,
    ),
    "application, reserved scope": (
        {"tenant": WORK},
        {**APP_ONLY, "scope": "openid"},
        "invalid_scope",
        1002012,
    ),
    "unknown refresh token": ({}, {**RENEW, "refresh_token": "fake"}, "invalid_grant", 70000),
    "unqualified, personal": ({}, {**RENEW, "scope": "Mail.Read"}, "invalid_scope", 70011),
    "two resources": ({}, {**RENEW, "scope": f"{MAIL_READ} {IMAP}"}, "invalid_scope", 28000),
    ".default and more": ({}, {**RENEW, "scope": f"{GRAPH}/.default {MAIL_READ}"}, "invalid_scope", 70011),
    "no consent": ({"tenant": WORK}, {**RENEW, "scope": "Mail.Send"}, "invalid_grant", 65001),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_wrong_request_is_refused(entra: Entra, session: requests.Session, case: str) -> None:
    """Each with Microsoft's error and number."""
    settings, form, error, code = REFUSALS[case]
    app = entra.new_app(**settings)
    form = {"refresh_token": entra.new_refresh_token(app)} | form
    status, answer = post(entra, session, app, **form)
    assert (error, [code]) == (answer["error"], answer["error_codes"])
    assert f"AADSTS{code}: " in answer["error_description"]
    assert (401 if error == "invalid_client" else 400) == status


@pytest.mark.parametrize(
    ("changes", "header", "code"),
    [
        ({}, {}, None),
        ({"iss": "nobody"}, {}, 700021),
        ({"sub": "nobody"}, {}, 700021),
        ({"aud": "https://example.org/token"}, {}, 700027),
        ({"exp": time.time() - 1}, {}, 700024),
        ({"exp": time.time() + 99999}, {}, 700027),
        ({}, {"x5t#S256": "another"}, 700027),
        ({}, {"alg": "RS512"}, 700027),
    ],
)
def test_a_client_assertion_is_checked(
    entra: Entra, session: requests.Session, changes: dict[str, Any], header: dict[str, str], code: int | None
) -> None:
    """Issuer, subject, audience, time, certificate and algorithm."""
    app = entra.new_app(WORK, certificate=certificate("app"))
    claims = {
        "iss": app.client_id, "sub": app.client_id, "exp": time.time() + 600,
        "aud": f"{entra.authority_of(app)}/oauth2/v2.0/token",
    }  # fmt: skip
    header = {"alg": "PS256", "x5t#S256": encode(certificate("app").fingerprint(hashes.SHA256()))} | header
    form = {
        "client_assertion": jwt.encode(claims | changes, rsa_key("app"), header["alg"], header),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "grant_type": "client_credentials", "scope": f"{GRAPH}/.default",
    }  # fmt: skip
    _, answer = post(entra, session, app, **form)
    assert (code and [code]) == answer.get("error_codes")


def test_a_refresh_token_belongs_to_its_client(entra: Entra, session: requests.Session) -> None:
    """Another application cannot use it."""
    others = entra.new_refresh_token(entra.new_app())
    _, answer = post(entra, session, entra.new_app(), **RENEW, refresh_token=others)
    assert ("invalid_grant", [70000]) == (answer["error"], answer["error_codes"])


def test_tenants_are_told_apart(entra: Entra, session: requests.Session) -> None:
    """An application is found at its own tenant only; a tenant that does not exist has no configuration."""
    personal, work = entra.new_app(), entra.new_app(WORK)
    for app, tenant, code in [
        (personal, WORK, 9002346), (work, "consumers", 9002346), (work, "organizations", 700016),
    ]:  # fmt: skip
        form = {"client_id": app.client_id, **RENEW, "refresh_token": entra.new_refresh_token(app)}
        answer = session.post(f"{entra.authority}/{tenant}/oauth2/v2.0/token", data=form, timeout=10).json()
        assert [code] == answer["error_codes"]
    with pytest.raises(ValueError, match="tenant"):
        msal.ConfidentialClientApplication(
            "x", "fake-secret", authority=f"{entra.authority}/nowhere", http_client=session, instance_discovery=False
        )  # fmt: skip
    assert ("invalid_tenant", 400) == (entra.requests[-1].error, entra.requests[-1].status)
    parameters = {"authorization_endpoint": f"{entra.authority}/{WORK}/oauth2/v2.0/authorize"}
    found = session.get(f"{entra.authority}/common/discovery/instance", params=parameters, timeout=10).json()
    assert (
        session.get(found["tenant_discovery_endpoint"], timeout=10).json()["issuer"].endswith(f"{WORK}/v2.0")
    )


@pytest.mark.parametrize(("tenant", "code"), [("consumers", 70000), (WORK, 50173)])
def test_a_revoked_user_is_out(entra: Entra, session: requests.Session, tenant: str, code: int) -> None:
    """The access token dies, the refresh token is refused; another user goes on."""
    app = entra.new_app(tenant, public=True)
    tokens = {user: entra.new_refresh_token(app, user) for user in ("ann", "bob")}
    answers = {
        user: post(entra, session, app, grant_type="refresh_token", refresh_token=token)[1]
        for user, token in tokens.items()
    }
    entra.revoke("ann")
    assert [None, "bob"] == [
        grant and grant.mailbox for grant in (entra.check(answers[u]["access_token"]) for u in ("ann", "bob"))
    ]
    token = answers["ann"]["refresh_token"]
    status, answer = post(entra, session, app, grant_type="refresh_token", refresh_token=token)
    assert (400, "invalid_grant", [code]) == (status, answer["error"], answer["error_codes"])
