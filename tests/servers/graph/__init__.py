"""A simulator of Microsoft Graph mail, for tests: see `GraphServer`."""

from __future__ import annotations

from tests.servers.graph.entities import Attachment, Folder, Message
from tests.servers.graph.faults import Fault
from tests.servers.graph.log import LoggedRequest
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.quirks import Quirks
from tests.servers.graph.request import Request
from tests.servers.graph.server import GraphServer
from tests.servers.graph.throttle import Throttle, Violation
from tests.servers.graph.tokens import Grant

__all__ = [
    "Attachment",
    "Fault",
    "Folder",
    "Grant",
    "GraphServer",
    "LoggedRequest",
    "Mailbox",
    "Message",
    "Quirks",
    "Request",
    "Throttle",
    "Violation",
]
