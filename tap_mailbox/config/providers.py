"""What is known of mail providers: host, port, TLS, connections, OAuth endpoints; explicit keys win."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# `connections` is the most the provider takes at once, from all programs together.
PROVIDERS: Mapping[str, Mapping[str, Any]] = {
    "gmail": {
        "host": "imap.gmail.com",
        "port": 993,
        "tls": "implicit",
        "connections": 15,
        "auth_url": "https://accounts.google.com/o/oauth2/v2/auth",
        "token_url": "https://oauth2.googleapis.com/token",
        "revoke_url": "https://oauth2.googleapis.com/revoke",
        "scope": "https://mail.google.com/",
    },
    "outlook": {
        "host": "outlook.office365.com",
        "port": 993,
        "tls": "implicit",
        "auth_url": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "token_url": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "scope": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    },
    "yahoo": {
        "host": "imap.mail.yahoo.com",
        "port": 993,
        "tls": "implicit",
        "connections": 5,
        "auth_url": "https://api.login.yahoo.com/oauth2/request_auth",
        "token_url": "https://api.login.yahoo.com/oauth2/get_token",
        "scope": "mail-r",
    },
    "icloud": {"host": "imap.mail.me.com", "port": 993, "tls": "implicit"},
    "fastmail": {"host": "imap.fastmail.com", "port": 993, "tls": "implicit"},
    # The Bridge listens on this machine, with a certificate of its own making (ca_file).
    "protonmail-bridge": {"host": "127.0.0.1", "port": 1143, "tls": "starttls"},
}
