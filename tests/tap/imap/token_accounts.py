"""Accounts that sign in by access token, runs of the tap over them, and a server that offers what Exchange does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.servers.dovecot import User
from tests.servers.imap_script import ImapScript, Mailbox, Message
from tests.servers.token_mail import TokenMail
from tests.tap.runs import imap_account, mail, run_tap

IMAP_SCOPE = "https://outlook.office.com/IMAP.AccessAsUser.All"


def microsoft(directory: Path, world: TokenMail, user: User) -> dict[str, Any]:
    """Return the settings of an account that signs in with Microsoft's tokens."""
    app = world.entra.new_app()
    fields = {"client_id": app.client_id, "client_secret": app.secret, "tenant_id": app.tenant}
    (directory / "app.json").write_text(json.dumps(fields))
    refresh_token = world.entra.new_refresh_token(app, user.name, [IMAP_SCOPE, "offline_access"])
    (directory / "token.json").write_text(json.dumps({"refresh_token": refresh_token}))
    method = {"method": "msal", "app_file": "app.json", "token_file": "token.json", "username": user.name}
    return {"auth": [method], "authority": world.entra.authority, "ca_file": str(world.entra.ca_file)}


def application(directory: Path, world: TokenMail, user: User) -> dict[str, Any]:
    """Return the settings of an account that an application reads by its own right."""
    app = world.entra.new_app("contoso.example", app_permissions=True)
    fields = {"client_id": app.client_id, "client_secret": app.secret, "tenant_id": app.tenant}
    (directory / "app.json").write_text(json.dumps(fields))
    world.introspection.app_mailbox = user.name
    method = {"method": "msal", "app_file": "app.json", "username": user.name}
    return {"auth": [method], "authority": world.entra.authority, "ca_file": str(world.entra.ca_file)}


def google(directory: Path, world: TokenMail, user: User) -> dict[str, Any]:
    """Return the settings of an account that signs in with Google's tokens."""
    client = world.server.new_client()
    world.server.write_client_file(directory / "client.json", client)
    world.server.write_token_file(directory / "token.json", world.server.new_refresh_token(client, user.name))
    method = {
        "method": "xoauth2",
        "client_file": "client.json",
        "token_file": "token.json",
        "username": user.name,
    }
    return {"auth": [method], "ca_file": str(world.server.ca_file)}


def service_account(directory: Path, world: TokenMail, user: User) -> dict[str, Any]:
    """Return the settings of an account that a service account reads."""
    world.server.write_key_file(directory / "key.json", world.server.new_service_account([user.name]))
    method = {"method": "xoauth2", "service_account_file": "key.json", "username": user.name}
    return {"auth": [method], "ca_file": str(world.server.ca_file)}


def generic(directory: Path, world: TokenMail, user: User) -> dict[str, Any]:
    """Return the settings of an account of any other provider."""
    client = world.server.new_client(secret=None)
    refresh_token = world.server.new_refresh_token(client, user.name, ["imap"])
    (directory / "token.json").write_text(json.dumps({"refresh_token": refresh_token}))
    method = {"method": "xoauth2", "client_id": client.client_id, "token_url": world.server.token_url}
    more = {"token_file": "token.json", "scope": "imap", "username": user.name}
    return {"auth": [{**method, **more}], "ca_file": str(world.server.ca_file)}


Settings = Callable[[Path, TokenMail, User], dict[str, Any]]


def run(
    world: TokenMail, directory: Path, settings: dict[str, Any], *, server: Any = None, **more: Any
) -> Any:
    """Run the tap over the account of these settings."""
    account = imap_account(server or world.dovecot, None, **settings)
    return run_tap([account], credentials_dir=str(directory), **more)


def exchange(make_imap_script: Callable[..., ImapScript]) -> ImapScript:
    """Return a server with one message that offers what Exchange does."""
    return make_imap_script(
        {"INBOX": Mailbox({4: Message(mail(4))})},
        capability="IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT IDLE NAMESPACE",
    )
