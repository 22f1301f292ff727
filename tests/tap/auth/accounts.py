"""Accounts with one sign-in method, credentials for them, and the files they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tap_mailbox.auth import BearerCredential, credential_for
from tap_mailbox.config import Account, parse_config
from tap_mailbox.schema import load_schema
from tests.servers.oauth import App, Entra, OAuthServer

ANN = "ann@outlook.example"


def account(directory: Path, method: dict[str, Any], **more: Any) -> Account:
    """Return an account of Ann's that signs in by *method*; files are in *directory*."""
    written = {"name": "ann", "protocol": "imap", "host": "imap.example.org", "email": ANN, **more}
    if written["protocol"] == "graph":
        del written["host"]
    config = {"accounts": [{**written, "auth": [method]}], "credentials_dir": str(directory)}
    (parsed,) = parse_config(config, load_schema("tap-config")).accounts
    return parsed


def credential(directory: Path, method: dict[str, Any], **more: Any) -> BearerCredential:
    """Return the credential of such an account."""
    parsed = account(directory, method, **more)
    found = credential_for(parsed, parsed.auth[0])
    assert isinstance(found, BearerCredential)
    return found


def microsoft(
    directory: Path, entra: Entra, app: App, *, token_file: str | None = "token.json", **more: Any
) -> BearerCredential:
    """Return Ann's credential with an application of *entra*, its secret as the app has it."""
    write(directory / "app.json", client_id=app.client_id, client_secret=app.secret, tenant_id=app.tenant)
    files = {"app_file": "app.json", **({"token_file": token_file} if token_file else {})}
    settings = {"protocol": "graph", "authority": entra.authority, "ca_file": str(entra.ca_file), **more}
    return credential(directory, {"method": "msal", **files}, **settings)


def google(directory: Path, server: OAuthServer, **more: Any) -> BearerCredential:
    """Return a credential with client.json and token.json, as the double has written them."""
    files = {"client_file": "client.json", "token_file": "token.json"}
    return credential(directory, {"method": "xoauth2", **files, **more}, ca_file=str(server.ca_file))


def names(directory: Path) -> set[str]:
    """Return what is in a directory."""
    return {each.name for each in directory.iterdir()}


def write(path: Path, **fields: Any) -> Path:
    """Write *fields* as JSON."""
    path.write_text(json.dumps(fields))
    return path


def legacy(path: Path, refresh_token: str, **more: Any) -> Path:
    """Write a token file as the legacy system left it, with an access token that is long dead."""
    old = {"access_token": "fake-expired", "updated": "2026-06-05T10:30:45.123456"}
    return write(path, **old, refresh_token=refresh_token, **more)
