"""The tap's configuration, parsed once into frozen values; below this module nobody sees a dictionary.

Names, keys and defaults come from schemas/tap-config.json; what a JSON Schema cannot say is checked here.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import ConfigError
from tap_mailbox.schema import violations, with_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONNECTIONS = 16
PROVIDERS: Mapping[str, Mapping[str, Any]] = {
    "gmail": {"host": "imap.gmail.com", "port": 993, "tls": "implicit", "connections": 15},
    "outlook": {"host": "outlook.office365.com", "port": 993, "tls": "implicit"},
    "yahoo": {"host": "imap.mail.yahoo.com", "port": 993, "tls": "implicit", "connections": 5},
    "icloud": {"host": "imap.mail.me.com", "port": 993, "tls": "implicit"},
    "fastmail": {"host": "imap.fastmail.com", "port": 993, "tls": "implicit"},
    # `connections` is the most the provider takes at once, from all programs together.
    # The Bridge listens on this machine, with a certificate of its own making (ca_file).
    "protonmail-bridge": {"host": "127.0.0.1", "port": 1143, "tls": "starttls"},
}
_PASSWORD_SOURCES = ("password", "password_command", "credential_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthMethod:
    """One way to sign in; files are absolute paths."""

    method: str
    """password, xoauth2 or msal."""
    username: str | None
    password: str | None = field(repr=False)
    password_command: tuple[str, ...] | None = field(repr=False)
    credential_file: Path | None
    client_file: Path | None
    token_file: Path | None
    app_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapServer:
    """Where an IMAP account lives and how to reach it."""

    host: str
    port: int
    tls: str
    """implicit, starttls or none."""
    ca_file: Path | None
    connections: int
    connect_timeout: float
    """Seconds."""
    read_timeout: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One mailbox."""

    name: str
    protocol: str
    """imap, graph or files."""
    email: str | None
    auth: tuple[AuthMethod, ...]
    include: tuple[str, ...] | None
    """None: the server's own default, which depends on whether it has an \\All folder."""
    exclude: tuple[str, ...]
    imap: ImapServer | None
    path: Path | None
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration, checked."""

    accounts: tuple[Account, ...]
    """Those that `only` selects, in the order of the configuration."""
    start_date: datetime | None
    limits: Mapping[str, int]
    """Names and values for `mime.Limits`, where they are not its defaults."""


def parse_config(raw: Mapping[str, Any], schema: dict[str, Any]) -> Config:
    """Return the configuration as frozen values.

    Raises:
        ConfigError: naming every account and key that is wrong, never a value.
    """
    if found := [f"{_place(path, raw)} {text}" for path, text in violations(schema, dict(raw))]:
        raise ConfigError("; ".join(sorted(set(found))))
    filled = with_defaults(schema, dict(raw))
    base = Path(filled["credentials_dir"]).expanduser()
    accounts = tuple(_account(entry, base) for entry in filled["accounts"])
    counts = Counter(account.name for account in accounts)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise ConfigError(
            f"accounts: the name {twice[0]!r} is used {counts[twice[0]]} times; names must differ"
        )
    only = filled["only"] or []
    if unknown := sorted(set(only) - set(counts)):
        raise ConfigError(
            f"only: no account is named {', '.join(unknown)}; there are {', '.join(counts) or 'none'}"
        )
    return Config(
        accounts=tuple(account for account in accounts if not only or account.name in only),
        start_date=_start_date(filled["start_date"]),
        limits=filled["limits"],
    )


def _place(path: list[str | int], raw: Mapping[str, Any]) -> str:
    """Return a path in the configuration for people: the account by its name where it has one."""
    match path:
        case ["accounts", int(index), *rest]:
            entry = raw["accounts"][index]
            name = entry.get("name") if isinstance(entry, dict) else None
            label = (
                f"account {name!r}" if isinstance(name, str) and rest != ["name"] else f"account {index + 1}"
            )
            return f"{label}: {_dotted(rest)}" if rest else label
        case []:
            return "the configuration"
        case _:
            return _dotted(path)


def _dotted(path: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _account(entry: Mapping[str, Any], base: Path) -> Account:
    name = entry["name"]
    if name.endswith("."):
        # Windows and SMB shares drop a dot at the end, and two accounts would share a folder.
        raise ConfigError(f"account {name!r}: name must not end with a dot")
    folders = entry["folders"]
    include = folders["include"]
    if entry["protocol"] == "files" and not entry["path"]:
        raise ConfigError(f"account {name!r}: path is missing; protocol files needs a file or a directory")
    if entry["protocol"] != "files" and not entry["auth"]:
        raise ConfigError(f"account {name!r}: auth is missing; name at least one sign-in method")
    return Account(
        name=name,
        protocol=entry["protocol"],
        email=entry["email"],
        auth=tuple(_auth_method(name, each, base) for each in entry["auth"]),
        include=None if include is None else tuple(include),
        exclude=tuple(folders["exclude"]),
        imap=_imap_server(name, entry, base) if entry["protocol"] == "imap" else None,
        path=Path(entry["path"]).expanduser() if entry["path"] else None,
        format=entry["format"],
    )


def _auth_method(account: str, entry: Mapping[str, Any], base: Path) -> AuthMethod:
    given = [key for key in _PASSWORD_SOURCES if entry[key]]
    if entry["method"] == "password" and len(given) != 1:
        raise ConfigError(
            f"account {account!r}: auth method password needs exactly one of {', '.join(_PASSWORD_SOURCES)}, "
            f"found {', '.join(given) or 'none'} (an unset $VARIABLE counts as none)"
        )
    command = entry["password_command"]
    return AuthMethod(
        method=entry["method"],
        username=entry["username"],
        password=entry["password"] or None,
        password_command=tuple(command) if command else None,
        **{
            key: _file(base, entry[key])
            for key in ("credential_file", "client_file", "token_file", "app_file")
        },
    )


def _imap_server(account: str, entry: Mapping[str, Any], base: Path) -> ImapServer:
    preset = PROVIDERS.get(entry["provider"] or "", {})
    host = entry["host"] or preset.get("host")
    if not host:
        raise ConfigError(f"account {account!r}: host is missing; name the IMAP server or a provider")
    tls = entry["tls"] or preset.get("tls", "implicit")
    # Another way of TLS has another port than the preset's.
    preset_port = preset.get("port") if tls == preset.get("tls") else None
    if tls == "none" and not entry["allow_plaintext"] and not _is_loopback(host):
        raise ConfigError(
            f"account {account!r}: tls: none would send the password to {host} in clear; use implicit or "
            "starttls, or set allow_plaintext: true if the line is safe by other means"
        )
    return ImapServer(
        host=host,
        port=entry["port"] or preset_port or (993 if tls == "implicit" else 143),
        tls=tls,
        ca_file=_file(base, entry["ca_file"]),
        connections=min(entry["connections"] or 1, preset.get("connections", MAX_CONNECTIONS)),
        connect_timeout=entry["connect_timeout"],
        read_timeout=entry["read_timeout"],
    )


def _file(base: Path, value: str | None) -> Path | None:
    """Return the absolute path of a `*_file` setting; relative ones start at credentials_dir."""
    return None if not value else (base / Path(value).expanduser()).absolute()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _start_date(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(
            "start_date must be an RFC 3339 date and time such as 2026-01-31T00:00:00Z (or a date alone)"
        ) from None
