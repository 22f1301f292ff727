"""Servers for the tests: a real Dovecot, a proxy, a scripted IMAP server, Microsoft Graph, OAuth."""

from __future__ import annotations
