"""The values of a checked configuration; paths are absolute, presets and defaults are filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthMethod:
    """One way to sign in."""

    method: str
    """password, xoauth2 or msal."""
    username: str | None
    password: str | None = field(repr=False)
    password_command: tuple[str, ...] | None = field(repr=False)
    credential_file: Path | None
    client_file: Path | None
    token_file: Path | None
    """Holds the refresh token and is written back; None: the application signs in as itself."""
    app_file: Path | None
    service_account_file: Path | None
    client_id: str | None
    client_secret: str | None = field(repr=False)
    tenant_id: str | None
    scope: str | None
    """Space-separated; None: what the protocol needs."""
    auth_url: str | None
    """Where a person approves (RFC 6749, section 3.1)."""
    token_url: str | None
    """The token endpoint (RFC 6749, section 3.2); None: the one of the client file."""
    revoke_url: str | None
    """RFC 7009."""


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
class GraphServer:
    """Which mailbox of Microsoft Graph an account is, and how to reach it."""

    url: str
    """Such as `https://graph.microsoft.com/v1.0`, without a slash at the end."""
    ca_file: Path | None
    mailbox: str | None
    """The address after `/users/`; None: `/me`, or the account's email under application permission."""
    every_mailbox: bool
    """Whether this stands for every licensed user of the organisation (`mailboxes: "*"`)."""
    only: frozenset[str]
    """Of `every_mailbox`, the account names to read; empty reads all."""
    optional: bool
    """Whether a mailbox that cannot be read is a warning and no failure, being found and not listed."""
    reconcile_days: int | None
    """Days between checks of delta against a listing; 0 every run, None never."""
    max_wait: float
    """Seconds; a longer Retry-After ends the account politely."""
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
    authority: str
    """Microsoft's sign-in service, without a tenant and a slash at the end."""
    ca_file: Path | None
    """Authorities to trust beside the system's at token endpoints."""
    include: tuple[str, ...] | None
    """None: the server's own default, which depends on whether it has an \\All folder."""
    exclude: tuple[str, ...]
    imap: ImapServer | None
    graph: GraphServer | None
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
    workers: int | None
    """Processes that parse beside the tap; None: as many as find a core."""
