"""`World`: a Graph and an Entra double that belong together, and runs of the tap against them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tap_mailbox.config import parse_config
from tap_mailbox.message import Checkpoint, JsonMessage, RawMessage
from tap_mailbox.schema import load_schema
from tap_mailbox.sources import Sources
from tap_mailbox.sources.base import Source
from tap_mailbox.stop import Stop
from tests.servers.graph import Folder, GraphServer, LoggedRequest, Mailbox, Message
from tests.servers.oauth import Entra
from tests.tap.runs import Run, mail, run_tap

ANN = "ann@outlook.example"
SCOPE = "https://graph.microsoft.com/Mail.Read"


class World:
    """Ann's mailbox, and the application that may read it."""

    def __init__(self, graph: GraphServer, entra: Entra, folder: Path) -> None:
        self.graph, self.entra, self.folder = graph, entra, folder
        graph.accept = entra.check
        self.app = entra.new_app(tenant="consumers", secret="fake-secret")
        self.box = graph.new_mailbox(ANN)
        self.inbox = self.box.folder("Inbox")
        # Each costs two requests a run, and most tests are about something else.
        for name in ("outbox", "conversationhistory", "clutter", "syncissues"):
            self.box.delete_folder(self.box.folder(name))
        self.ca_file = folder / "both.pem"
        self.ca_file.write_text(graph.ca_file.read_text() + entra.ca_file.read_text())
        self._write("app.json", self.app)
        # A live token, since msal takes longer than a small run.
        token = {"access_token": entra.new_access_token(self.app, user=ANN), "access_scope": SCOPE}
        self.token_file = {
            "refresh_token": entra.new_refresh_token(self.app, user=ANN),
            "updated": "2026-01-01T00:00:00Z",
        }
        self.write_token({**self.token_file, **token, "expires_at": "2099-01-01T00:00:00Z"})

    def write_token(self, fields: dict[str, Any]) -> None:
        """Write Ann's token file; `token_file` is what the legacy system leaves in it."""
        (self.folder / "token.json").write_text(json.dumps(fields))

    def _write(self, name: str, app: Any) -> None:
        fields = {"client_id": app.client_id, "client_secret": app.secret, "tenant_id": app.tenant}
        (self.folder / name).write_text(json.dumps(fields))

    def account(self, **more: Any) -> dict[str, Any]:
        """Return Ann's account."""
        return {
            "name": "ann",
            "protocol": "graph",
            "email": ANN,
            "auth": [{"method": "msal", "app_file": "app.json", "token_file": "token.json"}],
            "graph_url": self.graph.url,
            "authority": self.entra.authority,
            "ca_file": str(self.ca_file),
            **more,
        }

    def organisation(self, **more: Any) -> dict[str, Any]:
        """Return an account of application permission, for every mailbox."""
        app = self.entra.new_app(tenant="contoso.example", secret="fake-secret", app_permissions=True)
        self._write("org.json", app)
        auth = [{"method": "msal", "app_file": "org.json"}]
        return self.account(**{"name": "contoso", "email": None, "auth": auth, **more})

    def run(self, state: dict | None = None, *accounts: dict[str, Any], **config: Any) -> Run:
        """Run the tap over *accounts*, Ann's alone by default."""
        return run_tap(list(accounts) or [self.account()], state, credentials_dir=str(self.folder), **config)

    def source(self, bookmark: dict[str, Any], **more: Any) -> Source:
        """Return the source of Ann's account with *bookmark*, which it changes in place."""
        config = {"accounts": [self.account(**more)], "credentials_dir": str(self.folder)}
        (account,) = parse_config(config, load_schema("tap-config")).accounts
        return Sources(start_date=None, stop=Stop()).open(account, bookmark)

    def fill(
        self, numbers: int | Iterable[int | str], folder: Folder | None = None, **more: Any
    ) -> list[Message]:
        """Deliver `mail(number)` for each number, to the Inbox by default."""
        box: Mailbox = self.box
        each = range(numbers) if isinstance(numbers, int) else numbers
        return [box.deliver(mail(number), folder=folder or self.inbox, **more) for number in each]

    def asked(self, pattern: str) -> list[LoggedRequest]:
        """Return the requests so far whose path and query match."""
        return [each for each in self.graph.log if re.search(pattern, f"{each.path}?{each.query}")]

    def fetched(self) -> int:
        """Return how many messages' octets were asked for so far."""
        return len(self.asked(r"/messages/[^/]+/\$value"))


def account_of(state: dict[str, Any], account: str = "ann") -> dict[str, Any]:
    """Return an account's bookmarks in a state, to read or to edit."""
    found: dict[str, Any] = state["bookmarks"]["graph_messages"]["accounts"][account]
    return found


def entry_of(state: dict[str, Any], name: str = "Inbox", account: str = "ann") -> dict[str, Any]:
    """Return the bookmark of a folder by its name, to read or to edit."""
    folders = account_of(state, account)["folders"]
    found: dict[str, Any] = next(entry for entry in folders.values() if entry["name"] == name)
    return found


def folders(run: Run, account: str = "ann") -> dict[str, Any]:
    """Return the bookmarks of a run's last STATE by folder name."""
    return {entry["name"]: entry for entry in account_of(run.state, account)["folders"].values()}


def ids_of(messages: Iterable[RawMessage | JsonMessage | Checkpoint]) -> Iterable[str]:
    """Yield the immutable ids of messages as they come."""
    for each in messages:
        if not isinstance(each, Checkpoint):
            assert each.seen.graph_id is not None
            yield each.seen.graph_id
