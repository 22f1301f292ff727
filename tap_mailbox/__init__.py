"""Singer tap that reads e-mail from IMAP servers, Microsoft Graph and local files."""

from __future__ import annotations
