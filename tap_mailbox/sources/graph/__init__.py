"""Microsoft Graph: Outlook.com, Hotmail, Microsoft 365."""

from __future__ import annotations

from tap_mailbox.sources.graph.source import GraphSource

__all__ = ["GraphSource"]
