"""Runs of the tap in this process: what it emitted, its exit code, and accounts to configure it with."""

from __future__ import annotations

import contextlib
import io
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tap_mailbox.tap import TapMailbox


@dataclass
class Run:
    """One run of the tap."""

    code: int
    lines: list[dict[str, Any]]
    tap: TapMailbox = field(repr=False)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records, in order."""
        return [line["record"] for line in self.lines if line["type"] == "RECORD"]

    @property
    def ids(self) -> list[str]:
        """Their Message-IDs without brackets and domain."""
        return [record["message_id"].strip("<>").split("@")[0] for record in self.records]

    @property
    def states(self) -> list[dict[str, Any]]:
        """Every STATE, in order."""
        return [line["value"] for line in self.lines if line["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE."""
        return self.states[-1]

    def folders(self, account: str = "alice") -> dict[str, Any]:
        """The IMAP bookmarks of an account in the last STATE."""
        return self.state["bookmarks"]["imap_messages"]["accounts"][account]["folders"]

    def report(self, account: str = "alice") -> Any:
        """What the summary says of an account."""
        return next(each.report for each in self.tap.outcomes if each.account == account)


@contextlib.contextmanager
def handlers_restored() -> Iterator[None]:
    """Give back the signals that a tap takes over."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def run_tap(
    accounts: list[dict[str, Any]], state: dict | None = None, catalog: dict | None = None, **config
) -> Run:
    """Run the tap over *accounts* and return what came out; what it starts does not depend on the machine."""
    out = io.StringIO()
    with handlers_restored(), contextlib.redirect_stdout(out):
        tap = TapMailbox(
            config={"accounts": accounts, "workers": 0, **config},
            state=json.loads(json.dumps(state)) if state else None,
            catalog=catalog,
        )
        code = tap.run()
    return Run(code, [json.loads(line) for line in out.getvalue().splitlines()], tap)


def imap_account(server: Any, user: Any = None, *, name: str = "alice", **more: Any) -> dict[str, Any]:
    """Return the configuration of an IMAP account on a test server (a Dovecot, proxy or script)."""
    username, password = (user.name, user.password) if user else ("alice", "fake-secret")
    return {
        "name": name,
        "protocol": "imap",
        "email": f"{username}@example.org",
        "host": server.host,
        "port": server.port,
        "tls": "none",
        "auth": [{"method": "password", "username": username, "password": password}],
        **more,
    }


def files_account(path: Path, *, name: str = "old-mac", **more: Any) -> dict[str, Any]:
    """Return the configuration of an account that reads local files."""
    return {"name": name, "protocol": "files", "path": str(path), **more}


def mail(
    number: int | str, *, body: str = "Hello\r\n", date: str = "Fri, 05 Jun 2026 10:30:45 +0000"
) -> bytes:
    """Return a small message whose Message-ID is <number@example.org>."""
    return (
        f"Message-ID: <{number}@example.org>\r\nDate: {date}\r\nFrom: Ann <ann@example.org>\r\n"
        f"To: bob@example.org\r\nSubject: Message {number}\r\n\r\n{body}"
    ).encode()


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without the time of the run."""
    return record | {"source": record["source"] | {"fetched_at": None}}
