"""Which URLs secrets may be sent to: https ones, and plain http on this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from tap_mailbox.errors import ConfigError


def https_url(account: str, key: str, url: str) -> str:
    """Return *url* without its last slash; plain http would send secrets and tokens in clear.

    Raises:
        ConfigError: it is no https URL, or has a user name.
    """
    wrong = ConfigError(
        f"account {account!r}: {key} must be an https URL (http on this machine alone) without a user name"
    )
    try:
        parts = urlsplit(url)
        host = "" if {"@", "\\"} & set(parts.netloc) else parts.hostname or ""
    except ValueError:
        raise wrong from None
    if host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        return url.rstrip("/")
    raise wrong


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
