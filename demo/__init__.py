"""`make demo`: a small mailbox, archived through Meltano, twice."""

from __future__ import annotations
