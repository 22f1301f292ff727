"""`Archiver`: the pair and `mailbox` on accounts of every kind, at servers that remember all secrets they saw."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pipeline.overheard import Overheard, forms
from tests.pipeline.pair import TAP, TARGET
from tests.servers.dovecot import Dovecot, User
from tests.servers.graph import GraphServer
from tests.servers.oauth import Entra, OAuthServer
from tests.servers.oauth.faults import Refused, Reply
from tests.servers.oauth.service import Service
from tests.servers.oauth.transport import Incoming
from tests.tap.runs import imap_account

PASSWORD = 'fake pass "word" + ü/Zq7'
WRONG = "fake-wrong-password/Zq7"
CLIENT_SECRET = "fake-client-secret~Zq7/=="
PERSON = "ann.zq7@outlook.example"
PERSONAL = ("Subject of Zq7", "body of Zq7", "sender.zq7@", "reader.zq7@", PERSON, "Attachment-Zq7")
IMAP_SCOPE = "https://outlook.office.com/IMAP.AccessAsUser.All"
MAILBOX = [sys.executable, "-m", "tap_mailbox.cli"]
ASKED = {
    "refresh_token",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "client_assertion",
    "token",
}
GIVEN = {"access_token", "refresh_token", "id_token", "device_code"}


def mail(number: int) -> bytes:
    return (
        f"Message-ID: <{number}@zq7.example>\r\nDate: Fri, 05 Jun 2026 10:30:45 +0000\r\n"
        "From: sender.zq7@example.org\r\nTo: reader.zq7@example.org\r\nSubject: Subject of Zq7\r\n"
        'Content-Disposition: inline; filename="Attachment-Zq7"\r\n\r\nbody of Zq7\r\n'
    ).encode()


class _Indiscreet(Service):
    """Remembers every secret that was asked with or given, and repeats a request on demand."""

    def __init__(self, **settings: Any) -> None:
        self.secrets: set[str] = set()
        self.echo = False
        super().__init__(**settings)

    def answer(self, incoming: Incoming) -> Reply:
        self.secrets |= {value for key, value in incoming.form.items() if key in ASKED}
        if self.echo and "grant_type" in incoming.form:
            said = " ".join(incoming.form.values())
            raise Refused("invalid_grant", f"AADSTS70000: {said}", claims=said, suberror=said)
        reply = super().answer(incoming)
        given = json.loads(reply.body) if reply.body.startswith(b"{") else {}
        self.secrets |= {str(given[key]) for key in GIVEN & given.keys()}
        return reply


class Microsoft(_Indiscreet, Entra):
    """Entra, indiscreet."""


class Other(_Indiscreet, OAuthServer):
    """Any other provider, indiscreet."""


@dataclass
class World:
    """Everybody who gives out or takes secrets."""

    entra: Microsoft
    oauth: Other
    dovecot: Dovecot
    graph: GraphServer

    @property
    def secrets(self) -> set[str]:
        """All tokens, codes and verifiers so far, of every test."""
        return self.entra.secrets | self.oauth.secrets | {PASSWORD, WRONG, CLIENT_SECRET}


def new_user(world: World) -> User:
    user = world.dovecot.new_user(PASSWORD)
    world.dovecot.append(user, "INBOX", mail(1))
    return user


class Archiver:
    """A configuration in a directory of the operator's own, and runs of the pair beside it."""

    def __init__(self, directory: Path, world: World, **variables: str) -> None:
        self.world, self.own = world, directory / "own"
        self.own.mkdir()
        (directory / "run").mkdir()
        self.heard = Overheard(directory / "run", variables)
        self.config, self.target = self.own / "tap.json", self.own / "target.json"
        self.target.write_text(json.dumps({"path": str(directory / "run" / "archive")}))
        authorities = world.entra.ca_file, world.oauth.ca_file, world.graph.ca_file
        self.ca_file = self.write("ca.pem", "".join(each.read_text() for each in authorities))
        self.logs = ""

    def write(self, name: str, content: Any) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        (self.own / name).write_text(text)
        return str(self.own / name)

    def configure(self, *accounts: dict[str, Any]) -> None:
        self.write("tap.json", {"accounts": accounts, "credentials_dir": str(self.own)})

    def run(self) -> tuple[int, int]:
        """Run the pair."""
        *codes, logs = self.heard.pair([*TAP, "--config", self.config], [*TARGET, "--config", self.target])
        self.logs += logs
        return codes[0], codes[1]

    def mailbox(self, *arguments: str) -> list[str | Path]:
        return [*MAILBOX, *arguments, "-v", "--config", self.config]

    def leaks(self, *keys: str) -> list[str]:
        """Return what has left that should not have: secrets, anything personal in a log, a traceback.

        Token files may hold tokens, and not even those in clear when there are *keys*.
        """
        own = {PASSWORD, WRONG, CLIENT_SECRET, *keys} | (self.world.secrets if keys else set())
        kept = b"".join(path.read_bytes() for path in self.own.iterdir() if "token" in path.name)
        return [
            *self.heard.found([*self.world.secrets, *keys]),
            *(
                line
                for line in self.logs.splitlines()
                if any(each in line for each in (*PERSONAL, "Traceback"))
            ),
            *(f"{each[:24]}… in a token file" for each in own if any(form in kept for form in forms(each))),
        ]

    # --- accounts ---------------------------------------------------------------------------------------

    def generic(self, user: User, secret: str = CLIENT_SECRET) -> dict[str, Any]:
        """Return an account that signs in at `OAuthServer`, with a refresh token that is good once."""
        oauth = self.world.oauth
        client = oauth.new_client(CLIENT_SECRET)
        token = oauth.new_refresh_token(client, user.name, ["imap"])
        self.write("token-generic.json", {"refresh_token": token})
        urls = {"auth_url": oauth.authorization_url, "revoke_url": oauth.revocation_url}
        method = {
            "method": "xoauth2", "client_id": client.client_id, "client_secret": secret, "scope": "imap",
            "token_url": oauth.token_url, "token_file": "token-generic.json", "username": user.name, **urls,
        }  # fmt: skip
        return imap_account(
            self.world.dovecot, name="generic", email=PERSON, auth=[method], ca_file=self.ca_file
        )

    def app(self, tenant: str, name: str, **more: Any) -> Any:
        app = self.world.entra.new_app(tenant, secret=CLIENT_SECRET, **more)
        self.write(name, {"client_id": app.client_id, "client_secret": CLIENT_SECRET, "tenant_id": tenant})
        return app

    def microsoft(self, user: User) -> dict[str, Any]:
        """Return an IMAP account that signs in at Microsoft."""
        app = self.app("consumers", "imap-app.json")
        token = self.world.entra.new_refresh_token(app, user.name, [IMAP_SCOPE, "offline_access"])
        self.write(
            "token-imap.json", {"refresh_token": token, "access_token": "old", "updated": "2026-01-01"}
        )
        files = {"app_file": "imap-app.json", "token_file": "token-imap.json"}
        auth = [{"method": "msal", "username": user.name, **files}]
        more = {"authority": self.world.entra.authority, "ca_file": self.ca_file, "email": PERSON}
        return imap_account(self.world.dovecot, name="microsoft", auth=auth, **more)

    def outlook(self, *, delegated: bool) -> dict[str, Any]:
        """Return a Graph account of a person or of an application."""
        files = {"app_file": "graph-app.json" if delegated else "org-app.json"}
        if delegated:
            token = self.world.entra.new_refresh_token(self.app("consumers", "graph-app.json"), user=PERSON)
            self.write("token-graph.json", {"refresh_token": token, "access_token": "old", "updated": "2026"})
            files["token_file"] = "token-graph.json"
        else:
            self.app("contoso.example", "org-app.json", app_permissions=True)
        return {
            "name": "delegated" if delegated else "application", "protocol": "graph", "email": PERSON,
            "graph_url": self.world.graph.url, "authority": self.world.entra.authority,
            "ca_file": self.ca_file, "auth": [{"method": "msal", **files}],
        }  # fmt: skip
