"""What every source gives: messages one by one, with the bookmark moved only after each was handed over."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mailbox.message import Checkpoint, JsonMessage, RawMessage


@dataclass(slots=True)
class Report:
    """What one account's run did; becomes the summary line at its end."""

    folders: int = 0
    """Folders, directories or mbox files that were read or found unchanged."""
    messages: int = 0
    octets: int = 0
    vanished: int = 0
    """Messages that were listed but gone when they were fetched (RFC 3501, section 7.4.1)."""
    pending: int = 0
    credential: str | None = None
    """The sign-in method that worked."""
    warnings: list[str] = field(default_factory=list)
    """Things a person should know that are no failure."""
    failures: list[str] = field(default_factory=list)
    """What could not be read, one line each; any of them makes the run partial (exit 3)."""


class Source(abc.ABC):
    """Messages of one account, from where its bookmark stands.

    The contract of `messages`:

    - Every message is yielded once, in the order in which the bookmark passes it.
    - The bookmark (the account's dictionary in the Singer state, mutated in place) changes only after the
      generator is resumed, so that a STATE written at any moment covers nothing that was not handed over.
    - `Checkpoint` is yielded where a folder is done and its bookmark stands.
    - What could not be read is named in `report.failures`, what deserves attention in `report.warnings`;
      neither names a subject or an address.
    - It raises `AccountError` when the account cannot be read further, `Stopped` when a signal arrived.
    - Closing the generator closes every connection, also in the middle of a folder.
    """

    report: Report

    @abc.abstractmethod
    def messages(self) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        """Yield the messages that the bookmark does not cover yet."""
