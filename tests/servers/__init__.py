"""Servers for the tests: a real Dovecot, a proxy that breaks things, a scripted IMAP server."""

from __future__ import annotations
