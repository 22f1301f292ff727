"""The proof of an archive: checks, Merkle roots, statistics, journals; nothing here writes into it."""

from __future__ import annotations
