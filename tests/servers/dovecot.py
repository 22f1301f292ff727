"""`Dovecot`: a private, real IMAP server on loopback in a directory of its own; no root needed.

    with Dovecot() as dovecot:
        user = dovecot.new_user()
        uid = dovecot.append(user, "INBOX", b"Subject: hi\\r\\n\\r\\nbody\\r\\n")

`port` speaks plain text and STARTTLS, `tls_port` implicit TLS; `ca_file` verifies both. Fixtures are in
tests/conftest.py: `dovecot` (one server for the session) and `make_dovecot` (one with other settings).
Mail lies as Maildir under LAYOUT=fs, one file a message, so that tests can also break it behind the
server's back.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imapclient
from imapclient.imap_utf7 import encode as encode_mutf7

from tests.servers.dovecot_process import DovecotProcess
from tests.servers.dovecot_settings import Settings

AWKWARD_PASSWORD = 'pa ss"wört\\ 密碼'
"""A password that LOGIN cannot carry as it is: space, quote, backslash, non-ASCII."""


@dataclass(frozen=True)
class User:
    """Someone who has a mailbox there."""

    name: str
    password: str

    @property
    def email(self) -> str:
        """An address that looks like one; the server signs in `name`."""
        return f"{self.name}@example.org"


class Dovecot(DovecotProcess):
    """A running Dovecot 2.3 with users, their folders and their mail."""

    def __init__(
        self,
        *,
        separator: str = "/",
        prefix: str = "",
        plugins: Sequence[str] = (),
        oauth: str | None = None,
        extra: str = "",
    ) -> None:
        """Start the server.

        Args:
            separator: Hierarchy separator of folder names.
            prefix: Of the one namespace, such as `INBOX.`.
            plugins: Such as `zlib` (for all mail) and `imap_zlib` (for the protocol: COMPRESS=DEFLATE).
            oauth: Address of an introspection endpoint (tests.servers.oauth): XOAUTH2 and OAUTHBEARER are
                offered too, and a live token lets in the user it names.
            extra: More lines of dovecot.conf; they win.
        """
        self.separator, self.prefix = separator, prefix
        self._names = itertools.count(1)
        self._ages = itertools.count(10, 10)
        super().__init__(Settings(separator, prefix, plugins, oauth, extra))

    # --- users and sign-in ------------------------------------------------------------------------------

    def new_user(self, password: str = "fake-secret", name: str | None = None) -> User:
        """Return a new user with an empty mailbox."""
        user = User(name or f"user{next(self._names)}", password)
        self._write_password(user)
        return user

    def set_password(self, user: User, password: str) -> User:
        """Change what the server accepts and wait until it does; returns the user that can sign in now."""
        changed = User(user.name, password)
        path = self._write_password(changed)
        age = path.stat().st_mtime + next(self._ages)
        os.utime(path, (age, age))  # the server compares whole seconds, and looks once a second
        deadline = time.monotonic() + 10
        while True:
            try:
                with self.client(changed):
                    return changed
            except imapclient.exceptions.LoginError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)  # until the next try

    @contextlib.contextmanager
    def client(self, user: User) -> Iterator[imapclient.IMAPClient]:
        """Yield a signed-in client of the test's own."""
        with imapclient.IMAPClient(self.host, self.port, ssl=False, timeout=30) as client:
            client._imap.debug = 0  # imaplib formats every line for a log it does not write
            client.plain_login(user.name, user.password)
            yield client

    # --- what is in the mailbox -------------------------------------------------------------------------

    def append(
        self,
        user: User,
        folder: str,
        octets: bytes,
        flags: Sequence[str] = (),
        internal_date: dt.datetime | None = None,
    ) -> int:
        """Put a message into a folder, made if need be; returns its UID."""
        return self.fill(user, folder, [octets], flags=flags, internal_date=internal_date)[0]

    def fill(
        self,
        user: User,
        folder: str,
        messages: Iterable[bytes],
        *,
        flags: Sequence[str] = (),
        internal_date: dt.datetime | None = None,
    ) -> list[int]:
        """Put messages into a folder over one connection; returns their UIDs."""
        with self.client(user) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            replies = [client.append(folder, octets, flags, internal_date) for octets in messages]
        return [int(reply.split(b"APPENDUID ")[1].split(b"]")[0].split()[1]) for reply in replies]

    def create_folder(self, user: User, folder: str) -> None:
        """Make an empty folder."""
        with self.client(user) as client:
            client.create_folder(folder)

    def delete_folder(self, user: User, folder: str) -> None:
        """Remove a folder with what is in it."""
        with self.client(user) as client:
            client.delete_folder(folder)

    def rename_folder(self, user: User, folder: str, to: str) -> None:
        """Give a folder another name; its UIDVALIDITY may stay."""
        with self.client(user) as client:
            client.rename_folder(folder, to)

    def expunge(self, user: User, folder: str, uids: Iterable[int]) -> None:
        """Remove messages for good."""
        with self.client(user) as client:
            client.select_folder(folder)
            client.delete_messages(list(uids))
            client.expunge()

    def uids(self, user: User, folder: str) -> list[int]:
        """Return the UIDs in a folder."""
        return sorted(self.flags(user, folder))

    def flags(self, user: User, folder: str) -> dict[int, frozenset[str]]:
        """Return the flags of every message, \\Recent too; looking changes nothing."""
        with self.client(user) as client:
            client.select_folder(folder, readonly=True)
            if not (uids := client.search()):
                return {}
            found = client.fetch(uids, ["FLAGS"])
        return {uid: frozenset(flag.decode() for flag in item[b"FLAGS"]) for uid, item in found.items()}

    def status(self, user: User, folder: str) -> dict[str, int]:
        """Return messages, recent, uidnext, uidvalidity, unseen of a folder."""
        with self.client(user) as client:
            return {name.decode().lower(): value for name, value in client.folder_status(folder).items()}

    # --- UIDVALIDITY ------------------------------------------------------------------------------------

    def reset_folder(self, user: User, folder: str) -> int:
        """Delete and create a folder (not INBOX): empty, with another UIDVALIDITY, which is returned."""
        self.delete_folder(user, folder)
        self.create_folder(user, folder)
        return self.status(user, folder)["uidvalidity"]

    def set_uidvalidity(self, user: User, folder: str, value: int) -> None:
        """Give a folder another UIDVALIDITY; messages and UIDs stay. Nobody may be signed in meanwhile."""
        self.status(user, folder)  # the files exist
        path = self.folder_path(user, folder)
        header, _, rest = (path / "dovecot-uidlist").read_text().partition("\n")
        words = [f"V{value}" if word.startswith("V") else word for word in header.split(" ")]
        (path / "dovecot-uidlist").write_text("\n".join([" ".join(words), rest]))
        self._drop_indexes(path)

    def renumber(self, user: User, folder: str) -> int:
        """Forget all UIDs of a folder: messages stay, UIDs start at 1, UIDVALIDITY (returned) is another."""
        before = self.status(user, folder)["uidvalidity"]
        path = self.folder_path(user, folder)
        (path / "dovecot-uidlist").unlink()
        self._drop_indexes(path)
        after = self.status(user, folder)["uidvalidity"]
        if after == before:  # it is made of the clock's seconds
            after += 1
            self.set_uidvalidity(user, folder, after)
        return after

    # --- behind the server's back -----------------------------------------------------------------------

    def folder_path(self, user: User, folder: str) -> Path:
        """Return the directory of a folder (INBOX too)."""
        name = folder.removeprefix(self.prefix) if folder != "INBOX" else ""
        parts = encode_mutf7(name).decode().split(self.separator) if name else []
        return self.root.joinpath("mail", user.name, "Maildir", *parts)

    def message_path(self, user: User, folder: str, uid: int) -> Path:
        """Return the file of a message."""
        path = self.folder_path(user, folder)
        for line in (path / "dovecot-uidlist").read_text().splitlines()[1:]:
            if line.split(" ")[0] == str(uid):
                base = line.partition(" :")[2].split(":2,")[0]
                return next(
                    p for p in (path / "cur", path / "new") for p in p.iterdir() if p.name.startswith(base)
                )
        raise LookupError(f"no UID {uid} in {folder}")

    def lock_message(self, user: User, folder: str, uid: int) -> Callable[[], None]:
        """Make a message unreadable; returns what undoes it.

        Asked for its body, Dovecot says BYE and hangs up; for a polite NO use the proxy.
        """
        path = self.message_path(user, folder, uid)
        path.chmod(0)
        return lambda: path.chmod(0o600)

    def _write_password(self, user: User) -> Path:
        # One file per user: a file that is new to the server it reads at once.
        secret = base64.b64encode(user.password.encode()).decode()
        return self._write(f"etc/users/{user.name}", f"{user.name}:{{PLAIN.b64}}{secret}::::::\n")

    @staticmethod
    def _drop_indexes(path: Path) -> None:
        for index in path.glob("dovecot.index*"):
            index.unlink()
