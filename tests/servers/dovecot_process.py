"""`DovecotProcess`: a Dovecot in a directory of its own, from its certificates to its end."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import trustme

from tests.servers.dovecot_settings import Settings
from tests.servers.listening import Stoppable
from tests.servers.ports import HOST, free_ports, wait_for_greeting
from tests.servers.programs import require


class DovecotProcess(Stoppable):
    """A running Dovecot 2.3; `stop()` ends it and removes its directory."""

    host = HOST

    def __init__(self, settings: Settings) -> None:
        self.program = require("dovecot")
        # Not under pytest's directory: that is closed to the user Dovecot runs as. And short: the path of a
        # socket is limited to 107 octets.
        self.root = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self._user, self._group = _run_as()
        self._settings = settings
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def ca_file(self) -> Path:
        """The authority that signed the server's certificate (localhost, 127.0.0.1)."""
        return self.root / "etc" / "ca.pem"

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        path = self.root / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """End the server and remove its directory."""
        process = getattr(self, "process", None)
        if process is not None and process.poll() is None:
            # To all of the group: asked alone, the master waits a second for the others.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def _prepare(self) -> None:
        for directory in (".", "run", "state", "etc", "etc/users", "mail"):
            (self.root / directory).mkdir(exist_ok=True)
            self._hand_over(self.root / directory)
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", HOST)
        self._write("etc/ca.pem", authority.cert_pem.bytes().decode())
        self._write("etc/cert.pem", "".join(blob.bytes().decode() for blob in certificate.cert_chain_pems))
        self._write("etc/key.pem", certificate.private_key_pem.bytes().decode())

    def _start(self, attempts: int = 3) -> None:
        self.port, self.tls_port = free_ports(2)
        owner, ports = (self._user, self._group), (self.port, self.tls_port)
        for name, text in self._settings.files(self.root, owner=owner, ports=ports).items():
            self._write(name, text)
        errors = self.root / "stderr"
        as_other: dict[str, Any] = {}
        if os.geteuid() == 0:
            as_other = {"user": self._user, "group": self._group, "extra_groups": []}
        with errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*_mortal(), self.program, "-F", "-c", str(self.root / "etc/dovecot.conf")],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                cwd="/", start_new_session=True, **as_other,
            )  # fmt: skip
        try:
            wait_for_greeting(self.port, alive=lambda: self.process.poll() is None)
        except TimeoutError:
            if self.process.poll() is None or attempts == 1:
                raise RuntimeError(f"Dovecot does not start: {errors.read_text()}{self.log}") from None
            self._start(attempts - 1)  # someone took a port in between

    def _write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        self._hand_over(path)
        return path

    def _hand_over(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, self._user, self._group)


def _mortal() -> list[str]:
    """Return a prefix that ends the server when the tests are killed, where util-linux has it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _run_as() -> tuple[str, str]:
    """Return user and group of the server: ourselves; for root nobody, as Dovecot refuses mail of root."""
    entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    return entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name
