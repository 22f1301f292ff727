"""What else copies mail: mbsync, where it is installed, and a bare client that throws away what it reads."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measured import Run, run, set_aside

if TYPE_CHECKING:
    from tests.servers.dovecot import Dovecot, User

_READER = Path(__file__).with_name("read_raw.py")
_CONFIGURATION = """FSync {fsync}

IMAPAccount here
Host localhost
Port {port}
User {user}
Pass {password}
AuthMechs LOGIN
{tls}

IMAPStore far
Account here

MaildirStore near
Path {directory}/mail/
Inbox {directory}/inbox
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
Sync Pull
"""


class Mbsync:
    """mbsync from Debian's isync, into a new Maildir each time; as it ships it syncs every file."""

    def __init__(
        self, directory: Path, dovecot: Dovecot, user: User, *, fsync: bool, tls: bool = False
    ) -> None:
        directory.mkdir()
        self.directory, self._log = directory, directory / "log"
        tls_lines = f"SSLType IMAPS\nCertificateFile {dovecot.ca_file}" if tls else "SSLType None"
        (directory / "mbsyncrc").write_text(
            _CONFIGURATION.format(
                fsync="yes" if fsync else "no",
                port=dovecot.tls_port if tls else dovecot.port,
                user=user.name,
                password=user.password,
                tls=tls_lines,
                directory=directory,
            )
        )

    @staticmethod
    def installed() -> bool:
        """Whether it is here."""
        return shutil.which("mbsync") is not None

    def sync(self) -> Run:
        """Copy everything."""
        for name in ("mail", "inbox"):
            set_aside(self.directory / name)
        (self.directory / "mail").mkdir()
        return run(["mbsync", "-q", "-c", str(self.directory / "mbsyncrc"), "-a"], log=self._log)

    def copied(self) -> int:
        """Return how many messages the last run copied."""
        return sum(
            1
            for top in ("mail", "inbox")
            for path in (self.directory / top).rglob("*")
            if path.parent.name in {"cur", "new"} and path.is_file()
        )


def raw_read(port: int, user: User) -> Run:
    """Read all octets of a user over plain IMAP, and throw them away: what server and line give at most."""
    return run([sys.executable, "-S", str(_READER), str(port), user.name, user.password])
