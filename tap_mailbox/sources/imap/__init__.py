"""Mail from any IMAP server."""

from __future__ import annotations

from tap_mailbox.sources.imap.source import ImapSource

__all__ = ["ImapSource"]
