"""Mail that lies in local files: mbox, Maildir, trees of .eml, and the JSON of an older archiver."""

from __future__ import annotations

from tap_mailbox.sources.files.source import FilesSource

__all__ = ["FilesSource"]
