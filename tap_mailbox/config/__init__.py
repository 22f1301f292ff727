"""The tap's configuration as frozen values; below this package nobody sees a dictionary."""

from __future__ import annotations

from tap_mailbox.config.environment import environment_config
from tap_mailbox.config.parse import parse_config
from tap_mailbox.config.values import Account, AuthMethod, Config, GraphServer, ImapServer

__all__ = [
    "Account",
    "AuthMethod",
    "Config",
    "GraphServer",
    "ImapServer",
    "environment_config",
    "parse_config",
]
