"""Passwords: from the configuration, from a command, or from a credential file of the legacy system."""

from __future__ import annotations

import atexit
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.auth.json_file import json_object, text_of
from tap_mailbox.errors import CredentialError

if TYPE_CHECKING:
    from pathlib import Path

    from tap_mailbox.config import AuthMethod

COMMAND_TIMEOUT_SECONDS = 60
"""A password manager may ask a person, but a scheduled run must not hang for ever."""
_FILE = "credential file"
_EXPECTED = '{"email": …, "password": …}'


@dataclass(frozen=True, slots=True)
class PasswordCredential:
    """A user name and its password, for LOGIN or SASL PLAIN (RFC 4616)."""

    username: str
    password: str = field(repr=False)


def password_credential(method: AuthMethod, *, email: str | None) -> PasswordCredential:
    """Return the user name and password of a `password` method.

    The user name is the method's own, else the credential file's email, else the account's.

    Raises:
        CredentialError: the file or the command gives no password; the text never quotes one.
    """
    known_as = email
    if method.credential_file is not None:
        file_email, password = _from_file(method.credential_file)
        known_as = file_email or email
    elif method.password_command is not None:
        password = _from_command(method.password_command)
    else:
        password = method.password or ""
    username = method.username or known_as
    if not username:
        raise CredentialError("no user name: set email on the account or username on the method")
    if any(char in username + password for char in "\r\n\0"):
        raise CredentialError("user name or password holds a line break or NUL, which IMAP cannot carry")
    return PasswordCredential(username, password)


def _from_file(path: Path) -> tuple[str | None, str]:
    fields = json_object(path, what=_FILE, expected=_EXPECTED)
    password = text_of(fields, "password", path=path, what=_FILE, expected=_EXPECTED)
    email = fields.get("email")
    # Providers show an app password in groups; the spaces are no part of it. The files of the legacy system
    # hold nothing else: a password with spaces of its own has `password` and `password_command`.
    return email if isinstance(email, str) else None, password.replace(" ", "")


def _from_command(command: tuple[str, ...]) -> str:
    try:
        child = subprocess.Popen(  # noqa: S603  # the operator's own command, no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise CredentialError(f"password_command {command[0]} failed: {error.strerror}") from None
    # A run that is ended by a signal does not wait for an answer, and must not leave the question behind.
    atexit.register(child.kill)
    try:
        out, _ = child.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        # Whatever the command has started may keep the pipe open, so its end is not waited for.
        if child.stdout is not None:
            child.stdout.close()
        raise CredentialError(
            f"password_command {command[0]} failed: no answer within {COMMAND_TIMEOUT_SECONDS} s"
        ) from None
    finally:
        atexit.unregister(child.kill)
    lines = out.decode("utf-8", "replace").splitlines()
    if child.returncode or not lines or not lines[0]:
        raise CredentialError(
            f"password_command {command[0]} gave no password (exit code {child.returncode}); "
            "its first line of output must be the password"
        )
    return lines[0]
