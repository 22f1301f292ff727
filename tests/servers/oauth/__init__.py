"""Authorization servers for the tests: Microsoft's, Google's and any other's, and what mail servers ask of them."""

from __future__ import annotations

from tests.servers.oauth.apps import App
from tests.servers.oauth.entra import Entra
from tests.servers.oauth.faults import Hold
from tests.servers.oauth.introspection import Introspection
from tests.servers.oauth.server import Client, OAuthServer
from tests.servers.oauth.service import Request
from tests.servers.oauth.service_accounts import ServiceAccount
from tests.servers.oauth.tokens import Grant

__all__ = [
    "App",
    "Client",
    "Entra",
    "Grant",
    "Hold",
    "Introspection",
    "OAuthServer",
    "Request",
    "ServiceAccount",
]
