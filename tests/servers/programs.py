"""`require(name)`: the path of a system program, or the test is skipped — in CI it fails instead."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from typing import NoReturn

import pytest

PACKAGES = {"dovecot": "dovecot-imapd", "mkfs.ext4": "e2fsprogs", "umount": "mount", "unshare": "util-linux"}
"""Debian's packages, where their names differ from the program's."""


def in_ci() -> bool:
    """Whether this runs where every promised program is there (environment variable CI)."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}


def unavailable(reason: str) -> NoReturn:
    """Skip the test, saying why; where CI promised the program, fail: a skip would hide it."""
    if in_ci():
        pytest.fail(f"{reason} (CI is set, so this is no reason to skip)", pytrace=False)
    pytest.skip(reason)


@functools.cache
def find(name: str) -> str | None:
    """Return the path of the program, also where Debian hides it from users."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def require(name: str) -> str:
    """Return the path of the program; skip (in CI: fail) when it is not installed or of no use."""
    path = find(name)
    if path is None:
        unavailable(f"{name} is not installed (apt-get install {PACKAGES.get(name, name)})")
    if name == "dovecot" and (reason := _dovecot_problem(path)):
        unavailable(reason)
    if name == "strace" and (reason := _strace_problem(path)):
        unavailable(reason)
    return path


@functools.cache
def _dovecot_problem(path: str) -> str | None:
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    if not re.match(r"2\.3\.", version):
        return f"Dovecot 2.3 is needed (2.4 has another configuration language), found {version.strip()!r}"
    return None


@functools.cache
def _strace_problem(path: str) -> str | None:
    """Containers often forbid ptrace."""
    traced = subprocess.run([path, "-qq", "-e", "trace=none", "true"], capture_output=True, check=False)
    return None if traced.returncode == 0 else f"strace may not trace here: {traced.stderr.decode().strip()}"
