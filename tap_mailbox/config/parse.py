"""From the configuration as written to checked values.

Names, keys and defaults come from schemas/tap-config.json; what a JSON Schema cannot say is checked here.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_mailbox.config.methods import auth_method, file_at
from tap_mailbox.config.providers import PROVIDERS
from tap_mailbox.config.urls import https_url, is_loopback
from tap_mailbox.config.values import Account, Config, GraphServer, ImapServer
from tap_mailbox.errors import ConfigError
from tap_mailbox.schema import violations, with_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_CONNECTIONS = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")


def parse_config(raw: Mapping[str, Any], schema: dict[str, Any], *, root: Path | None = None) -> Config:
    """Return the configuration as frozen values; relative paths start at *root*, else where we stand.

    Raises:
        ConfigError: naming every account and key that is wrong, never a value.
    """
    if found := [f"{_place(path, raw)} {text}" for path, text in violations(schema, dict(raw))]:
        raise ConfigError("; ".join(sorted(set(found))))
    filled = with_defaults(schema, dict(raw))
    base = (root or Path()) / Path(filled["credentials_dir"]).expanduser()
    only = frozenset(filled["only"] or ())
    accounts = [
        (entry["name"], account)
        for entry in filled["accounts"]
        for account in _accounts(entry, base, root or Path(), only=only, shared=filled)
    ]
    counts = Counter(account.name for _, account in accounts)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        raise ConfigError(
            f"accounts: the name {twice[0]!r} is used {counts[twice[0]]} times; names must differ"
        )
    accounts = _check_only(only, accounts)
    return Config(
        accounts=tuple(
            account
            for name, account in accounts
            if not only or {name, account.name} & only or (account.graph and account.graph.only)
        ),
        start_date=_start_date(filled["start_date"]),
        limits=filled["limits"],
        workers=None if filled["workers"] == "auto" else int(filled["workers"]),
    )


def _check_only(only: frozenset[str], accounts: list[tuple[str, Account]]) -> list[tuple[str, Account]]:
    """Return the accounts; an organisation keeps of `only` the names that none of them has."""
    known = {name for name, _ in accounts} | {account.name for _, account in accounts}
    sought: set[str] = set()
    if any(account.graph and account.graph.every_mailbox for _, account in accounts):
        # Whose mailboxes there are is known only once the organisation was asked.
        sought = {name for name in only - known if "@" in name and _NAME.fullmatch(name)}
    if unknown := sorted(only - known - sought):
        hint = "; names are in lower case" if any(name != name.lower() for name in unknown) else ""
        raise ConfigError(
            f"only: no account is named {', '.join(unknown)}; "
            f"there are {', '.join(sorted(known)) or 'none'}{hint}"
        )
    return [
        (
            name,
            replace(account, graph=replace(account.graph, only=account.graph.only & sought))
            if account.graph
            else account,
        )
        for name, account in accounts
    ]


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


def _accounts(
    entry: Mapping[str, Any], base: Path, root: Path, *, only: frozenset[str], shared: Mapping[str, Any]
) -> Iterator[Account]:
    """Yield the accounts of one entry: itself, or one for each of the mailboxes it lists."""
    mailboxes = entry["mailboxes"]
    if mailboxes is None or mailboxes == "*":
        if mailboxes and entry["protocol"] != "graph":
            raise ConfigError(f"account {entry['name']!r}: mailboxes is a key of protocol graph alone")
        yield _account(entry, base, root, only=only, shared=shared)
        return
    if entry["protocol"] != "graph":
        raise ConfigError(f"account {entry['name']!r}: mailboxes is a key of protocol graph alone")
    if not mailboxes:
        raise ConfigError(f'account {entry["name"]!r}: mailboxes is empty; list addresses, or say "*"')
    for address in mailboxes:
        if not _NAME.fullmatch(address.lower()) or "@" not in address:
            raise ConfigError(
                f"account {entry['name']!r}: mailboxes: {address!r} cannot name an account; expected an "
                f"address that in lower case matches {_NAME.pattern}"
            )
        own = {**entry, "name": address.lower(), "email": address}
        yield _account(own, base, root, only=only, shared=shared, mailbox=address)


def _account(
    entry: Mapping[str, Any],
    base: Path,
    root: Path,
    *,
    only: frozenset[str],
    shared: Mapping[str, Any],
    mailbox: str | None = None,
) -> Account:
    name, protocol = entry["name"], entry["protocol"]
    if name.endswith("."):
        # Windows and SMB shares drop a dot at the end, and two accounts would share a folder.
        raise ConfigError(f"account {name!r}: name must not end with a dot")
    if protocol == "files" and not entry["path"]:
        raise ConfigError(f"account {name!r}: path is missing; protocol files needs a file or a directory")
    if protocol != "files" and not entry["auth"]:
        raise ConfigError(f"account {name!r}: auth is missing; name at least one sign-in method")
    include = entry["folders"]["include"]
    account = Account(
        name=name,
        protocol=protocol,
        email=entry["email"],
        auth=tuple(auth_method(entry, each, base) for each in entry["auth"]),
        authority=https_url(name, "authority", entry["authority"]),
        ca_file=file_at(base, entry["ca_file"]),
        include=None if include is None else tuple(include),
        exclude=tuple(entry["folders"]["exclude"]),
        imap=_imap_server(name, entry, base) if protocol == "imap" else None,
        graph=_graph_server(entry, base, mailbox, only=only, shared=shared) if protocol == "graph" else None,
        path=root / Path(entry["path"]).expanduser() if entry["path"] else None,
        format=entry["format"],
    )
    nobody = account.graph and not (account.graph.every_mailbox or mailbox or account.email)
    if nobody and any(method.token_file is None for method in account.auth):
        raise ConfigError(
            f"account {name!r}: whose mailbox? Application permission (msal without token_file) needs "
            'email, or mailboxes: a list of addresses, or "*"'
        )
    return account


def _imap_server(account: str, entry: Mapping[str, Any], base: Path) -> ImapServer:
    preset = PROVIDERS.get(entry["provider"] or "", {})
    host = entry["host"] or preset.get("host")
    if not host:
        raise ConfigError(f"account {account!r}: host is missing; name the IMAP server or a provider")
    tls = entry["tls"] or preset.get("tls", "implicit")
    # Another way of TLS has another port than the preset's.
    preset_port = preset.get("port") if tls == preset.get("tls") else None
    if tls == "none" and not entry["allow_plaintext"] and not is_loopback(host):
        raise ConfigError(
            f"account {account!r}: tls: none would send the password to {host} in clear; use implicit or "
            "starttls, or set allow_plaintext: true if the line is safe by other means"
        )
    return ImapServer(
        host=host,
        port=entry["port"] or preset_port or (993 if tls == "implicit" else 143),
        tls=tls,
        ca_file=file_at(base, entry["ca_file"]),
        connections=min(entry["connections"] or 1, preset.get("connections", MAX_CONNECTIONS)),
        connect_timeout=entry["connect_timeout"],
        read_timeout=entry["read_timeout"],
    )


def _graph_server(
    entry: Mapping[str, Any],
    base: Path,
    mailbox: str | None,
    *,
    only: frozenset[str],
    shared: Mapping[str, Any],
) -> GraphServer:
    name = entry["name"]
    every = entry["mailboxes"] == "*"
    # null says never, so only an absent key inherits.
    days = entry["reconcile_days"] if "reconcile_days" in entry else shared["reconcile_days"]
    max_wait = entry.get("max_wait")
    return GraphServer(
        url=https_url(name, "graph_url", entry["graph_url"]),
        ca_file=file_at(base, entry["ca_file"]),
        mailbox=mailbox,
        every_mailbox=every,
        only=frozenset() if not every or name in only else only,
        optional=False,
        reconcile_days=days,
        max_wait=shared["max_wait"] if max_wait is None else max_wait,
        connect_timeout=entry["connect_timeout"],
        read_timeout=entry["read_timeout"],
    )


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
