"""`Entra` satisfies the real MSAL."""

from __future__ import annotations

import threading

import pytest
import requests

from tests.servers.oauth import Entra
from tests.servers.oauth.assertions import certificate
from tests.servers.oauth.clients import certificate_credential, msal_client, post

GRAPH = "https://graph.microsoft.com"
MAIL_READ = f"{GRAPH}/Mail.Read"
IMAP = "https://outlook.office.com/IMAP.AccessAsUser.All"
WORK = "contoso.example"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize(("tenant", "opaque"), [("consumers", True), (WORK, False)])
@pytest.mark.parametrize("secret", [None, "fake-secret"])
def test_msal_adopts_and_renews_a_refresh_token(
    entra: Entra, session: requests.Session, tenant: str, opaque: bool, secret: str | None
) -> None:
    """A public and a confidential client take over an old token, find the account and renew silently."""
    app = entra.new_app(tenant, secret, public=secret is None)
    msal_app = msal_client(entra, app, session, secret)
    first = msal_app.acquire_token_by_refresh_token(
        entra.new_refresh_token(app, "ann@example.org"), [MAIL_READ]
    )
    (account,) = msal_app.get_accounts()
    assert "ann@example.org" == account["username"]
    assert opaque == ("." not in first["access_token"])
    grant = entra.check(first["access_token"])
    assert ("ann@example.org", app.client_id, (MAIL_READ,)) == (grant.mailbox, grant.app_id, grant.scopes)
    silent = msal_app.acquire_token_silent_with_error([MAIL_READ], account)
    assert ("cache", first["access_token"]) == (silent["token_source"], silent["access_token"])
    renewed = msal_app.acquire_token_silent_with_error([MAIL_READ], account, force_refresh=True)
    assert entra.check(renewed["access_token"])
    assert 2 == entra.refreshes
    assert [True, True] == [request.client_info for request in entra.requests if request.grant_type]
    assert {"secret" if secret else ""} == {r.credential for r in entra.requests if r.grant_type}


def test_a_refresh_token_is_good_for_several_resources(entra: Entra, session: requests.Session) -> None:
    """What was consented to for Graph and for Office 365 is renewed one resource at a time."""
    app = entra.new_app(public=True)
    refresh_token = entra.new_refresh_token(app, scopes=[MAIL_READ, IMAP, "offline_access"])
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    for scope in (MAIL_READ, IMAP, f"{GRAPH}/.default"):
        _, answer = post(entra, session, app, scope=scope, **form)
        resource = scope.rpartition("/")[0]
        assert entra.check(answer["access_token"], audience=resource)
        assert entra.check(answer["access_token"], audience="https://other.example") is None
        assert "refresh_token" not in answer  # offline_access was not asked for


@pytest.mark.parametrize("single_use", [False, True])
def test_rotation(single_use: bool) -> None:
    """The old refresh token stays valid as documented; single use makes one of two racers lose."""
    with Entra(single_use=single_use) as entra, entra.session() as session:
        app = entra.new_app(public=True)
        form = {"grant_type": "refresh_token", "refresh_token": entra.new_refresh_token(app)}
        answers: list[tuple[int, dict]] = []
        racers = [
            threading.Thread(target=lambda: answers.append(post(entra, session, app, **form)))
            for _ in range(2)
        ]
        with entra.hold_answers() as held:
            for racer in racers:
                racer.start()
            held.wait(2)
            assert not answers  # decided, but nobody knows
        for racer in racers:
            racer.join()
        assert ([200, 400] if single_use else [200, 200]) == sorted(status for status, _ in answers)
        assert (1 if single_use else 2) == entra.refreshes
        winner = next(answer for status, answer in answers if status == 200)
        assert 200 == post(entra, session, app, **{**form, "refresh_token": winner["refresh_token"]})[0]


@pytest.mark.parametrize("kind", ["secret", "certificate", "thumbprint"])
def test_msal_signs_in_an_application(entra: Entra, session: requests.Session, kind: str) -> None:
    """By secret, by PS256 and by RS256; the answer has no scope, and is found in the cache."""
    app = entra.new_app(WORK, certificate=certificate("app"), app_permissions=True)
    credential = certificate_credential("app", thumbprint=kind == "thumbprint")
    msal_app = msal_client(entra, app, session, "fake-secret" if kind == "secret" else credential)
    first = msal_app.acquire_token_for_client([f"{GRAPH}/.default"])
    assert {"scope", "refresh_token", "id_token"}.isdisjoint(first)
    grant = entra.check(first["access_token"], audience=GRAPH)
    assert (None, (f"{GRAPH}/.default",)) == (grant.mailbox, grant.scopes)
    count = len(entra.requests)
    assert first["access_token"] == msal_app.acquire_token_for_client([f"{GRAPH}/.default"])["access_token"]
    assert count == len(entra.requests)


def test_without_consent_an_application_gets_a_token_for_nothing(
    entra: Entra, session: requests.Session
) -> None:
    """The resource is left to refuse it."""
    app = entra.new_app(WORK)
    answer = msal_client(entra, app, session, "fake-secret").acquire_token_for_client([f"{GRAPH}/.default"])
    assert () == entra.check(answer["access_token"]).scopes


def test_an_organisation_may_leave_out_the_address_of_graph(entra: Entra, session: requests.Session) -> None:
    """`Mail.Read` is Graph's there."""
    app = entra.new_app(WORK)
    refresh_token = entra.new_refresh_token(app, scopes=["Mail.Read"])
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_secret": "fake-secret"}
    _, answer = post(entra, session, app, **form, scope="mail.read")
    assert (MAIL_READ,) == entra.check(answer["access_token"]).scopes


@pytest.mark.parametrize(
    ("error", "codes", "members"),
    [
        ("invalid_grant", [700082], {}),
        ("invalid_grant", [50173], {"suberror": "bad_token"}),
        ("interaction_required", [50076], {"claims": '{"access_token":{}}', "suberror": "basic_action"}),
    ],
)
def test_msal_reports_the_error_a_test_asked_for(
    entra: Entra, session: requests.Session, error: str, codes: list[int], members: dict[str, str]
) -> None:
    """Codes, suberror and claims arrive; afterwards all is well."""
    app = entra.new_app(public=True)
    msal_app = msal_client(entra, app, session)
    msal_app.acquire_token_by_refresh_token(entra.new_refresh_token(app), [MAIL_READ])
    (account,) = msal_app.get_accounts()
    entra.fail_next(error, codes=codes, **members)
    answer = msal_app.acquire_token_silent_with_error([MAIL_READ], account, force_refresh=True)
    assert (error, codes) == (answer["error"], answer["error_codes"])
    assert members.items() <= answer.items()
    fresh = msal_client(entra, app, session)  # MSAL remembers an error for a minute
    assert "access_token" in fresh.acquire_token_by_refresh_token(entra.new_refresh_token(app), [MAIL_READ])


def test_msal_signs_in_by_device_code(entra: Entra, session: requests.Session) -> None:
    """The code shown is approved elsewhere; the account is in the cache then."""
    app = entra.new_app(public=True)
    msal_app = msal_client(entra, app, session)
    flow = msal_app.initiate_device_flow([MAIL_READ])
    entra.approve(flow["user_code"], "bob@outlook.example")
    answer = msal_app.acquire_token_by_device_flow(flow)
    assert "bob@outlook.example" == entra.check(answer["access_token"]).mailbox
    assert "bob@outlook.example" == msal_app.get_accounts()[0]["username"]
    assert "access_token" in msal_app.acquire_token_by_refresh_token(answer["refresh_token"], [MAIL_READ])


def test_a_device_code_has_a_life(entra: Entra, session: requests.Session) -> None:
    """Pending, too fast, declined, expired, unknown, and good for once."""
    app = entra.new_app(public=True)
    entra.device.interval = 0

    def poll(device_code: str) -> str:
        form = {"grant_type": DEVICE_CODE, "device_code": device_code}
        return post(entra, session, app, **form)[1].get("error", "")

    def start() -> dict:
        return post(entra, session, app, "devicecode", scope=f"{MAIL_READ} offline_access")[1]

    flow = start()
    assert "authorization_pending" == poll(flow["device_code"])
    entra.approve(flow["user_code"])
    assert ["", "bad_verification_code"] == [poll(flow["device_code"]) for _ in range(2)]
    flow = start()
    entra.decline(flow["user_code"])
    assert "authorization_declined" == poll(flow["device_code"])
    assert "bad_verification_code" == poll("fake")
    entra.device.interval = 60
    flow = start()
    assert ["authorization_pending", "slow_down"] == [poll(flow["device_code"]) for _ in range(2)]
    entra.device.expires_in = 0
    assert "expired_token" == poll(start()["device_code"])


def test_an_access_token_expires(entra: Entra, session: requests.Session) -> None:
    """After the seconds the test chose."""
    app = entra.new_app(public=True)
    entra.expires_in = 0
    form = {"grant_type": "refresh_token", "refresh_token": entra.new_refresh_token(app)}
    _, answer = post(entra, session, app, **form)
    assert (0, None) == (answer["expires_in"], entra.check(answer["access_token"]))
    assert entra.check(entra.new_access_token(app, expires_in=60))
    assert entra.check(entra.new_access_token(app, expires_in=0)) is None
