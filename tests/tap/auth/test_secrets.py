"""No secret in any log line, error text or representation, whatever goes wrong."""

from __future__ import annotations

import json
import logging

import pytest

from tap_mailbox.auth import credential_for
from tap_mailbox.errors import TapError
from tests.tap.auth.accounts import account, legacy, write

SECRET, REFRESH, ACCESS = "fake-secret-Zq7", "fake-refresh-Zq7", "fake-access-Zq7"

MICROSOFT = {"method": "msal", "app_file": "app.json", "token_file": "token.json"}
APPLICATION = {"method": "msal", "app_file": "app.json"}
GOOGLE = {"method": "xoauth2", "client_file": "client.json", "token_file": "token.json"}
GENERIC = {"method": "xoauth2", "client_id": "fake-id", "client_secret": SECRET, "token_file": "token.json"}

ECHO = {"error_description": f"AADSTS70000: {REFRESH} {SECRET} of ann@outlook.example", "claims": ACCESS}
ANSWERS = {
    "a token": {
        "body": json.dumps({"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 60}).encode()
    },
    "a cut token": {"body": f'{{"access_token": "{ACCESS}", "refresh_token": "{REFRESH}"'.encode()},
    "an echo": {"error": "invalid_grant", **ECHO},
    "an echo as the error": {"error": REFRESH, "suberror": SECRET, "error_subtype": SECRET},
    "a page": {"status": 502, "body": f"<p>{REFRESH} {SECRET}".encode()},
    "nothing": {"status": 429, "retry_after": ACCESS},
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("method", [MICROSOFT, APPLICATION, GOOGLE, GENERIC])
def test_nothing_is_shown(tmp_path, entra, oauth, caplog, method, answer):
    """Everything is logged that the libraries have to say, and none of it is a secret."""
    caplog.set_level(logging.DEBUG)
    for name in ("msal", "msal.oauth2cli.oauth2", "google", "google.auth", "urllib3", "requests"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    app = entra.new_app("contoso.example", secret=SECRET, app_permissions=True)
    client = {"client_id": app.client_id, "client_secret": SECRET}
    write(tmp_path / "app.json", **client, tenant_id=app.tenant)
    write(tmp_path / "client.json", installed={**client, "token_uri": oauth.token_url})
    legacy(tmp_path / "token.json", REFRESH)
    server = entra if method["method"] == "msal" else oauth
    server.fail_next(**ANSWERS[answer], times=2)
    more = {"token_url": oauth.token_url} if method is GENERIC else {}
    parsed = account(
        tmp_path,
        {**method, **more},
        **({"protocol": "graph"} if method["method"] == "msal" else {}),
        authority=entra.authority,
        ca_file=str(server.ca_file),
    )
    credential = credential_for(parsed, parsed.auth[0])
    shown = [
        repr(parsed),
        repr(credential),
        repr(vars(credential).get("_app", vars(credential).get("_client"))),
    ]
    said: list[str] = []
    try:
        assert ACCESS == credential.token()
        shown.append(repr(vars(credential)["_tokens"]))
    except TapError as error:
        said += [repr(error), str(error), repr(error.__cause__)]
    said += [caplog.text, *(repr(record.__dict__) for record in caplog.records)]
    found = [each for each in (SECRET, REFRESH, ACCESS, "ann@outlook") for text in said if each in text]
    assert [] == found + [each for each in (SECRET, REFRESH, ACCESS) for text in shown if each in text]
