"""Singer target that archives every message once, durably, under the hash of its Message-ID."""

from __future__ import annotations
