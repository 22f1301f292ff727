"""What a survey of a mailbox finds; values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSummary:
    """One folder, directory or mbox file."""

    key: str
    """What the state calls it: an IMAP folder's name, a Graph folder's id, a path."""
    name: str
    special: tuple[str, ...]
    r"""Its own special uses (RFC 6154), such as `\Sent`."""
    selected: bool
    """Whether include and exclude leave it to be read."""
    messages: int | None
    """None where the server would not say, or only reading would tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found behind the sign-in."""

    server: str
    """`host:port`; for files the path."""
    credential: str
    """The sign-in method that worked; for files an empty text."""
    fallbacks: list[str]
    """Why methods before that one did not do."""
    folders: list[FolderSummary]
    """In the server's order."""
