"""The Singer streams: accounts → messages → records, and STATE where the bookmark is worth it."""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel

from tap_mailbox.bookmarks import account_state
from tap_mailbox.errors import AccountError
from tap_mailbox.handover import Ahead, Direct
from tap_mailbox.message import Checkpoint
from tap_mailbox.schema import load_schema
from tap_mailbox.sources import Sources
from tap_mailbox.sources.base import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.singerlib import MetadataMapping

    from tap_mailbox.config import Account, Config
    from tap_mailbox.parsers import Parsers
    from tap_mailbox.sources.base import Source
    from tap_mailbox.stop import Stop

logger = logging.getLogger(__name__)

STATE_MESSAGES = 500
STATE_SECONDS = 1.0
"""STATE in between at the latest after so many messages or seconds; each costs Meltano some 40 ms."""
FOLDERS_OF_SMALL_STATE = 100
"""Up to so many folders a STATE is cheap enough to follow every folder; beyond, the clock decides."""


@dataclass(slots=True)
class Outcome:
    """What became of one account; a line of the summary."""

    account: str
    report: Report
    seconds: float
    interrupted: bool
    """Whether the run ended before this account did."""


class MessagesStream(Stream):
    """Messages of all accounts of one protocol."""

    protocol: ClassVar[str]
    stream_name: ClassVar[str]
    primary_keys = ("account", "message_id", "content_hash")
    # Records are right by construction, and tests hold them against the schema; checking each again would
    # cost as much as parsing it.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(
        self,
        tap: Tap,
        *,
        settings: Config | None,
        stop: Stop,
        parsers: Parsers | None,
        outcomes: list[Outcome],
    ) -> None:
        """Make the stream of *tap*; *settings* None will do for discovery, *outcomes* gets one an account.

        Without *parsers* it parses every message itself.
        """
        self._settings, self._stop, self._parsers, self._outcomes = settings, stop, parsers, outcomes
        super().__init__(tap=tap, name=self.stream_name, schema=load_schema("message"))
        # Bookmarks are our own dictionaries (docs/adr/0001-state-dictionary.md): with a replication key the
        # SDK would keep a second one, with FULL_TABLE it would call an interrupted run a failure.
        self.forced_replication_method = "LOG_BASED"
        self._messages_since_state = 0
        self._last_state = time.monotonic()

    @property
    def metadata(self) -> MetadataMapping:
        """Selection metadata; `raw` is off until a catalog selects it, for its size."""
        known = self._metadata is not None or self._tap_input_catalog is not None
        metadata = super().metadata
        if not known:
            metadata[("properties", "raw")].selected_by_default = False
        return metadata

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:  # noqa: ARG002  # no partitions
        """Yield the records of every account of this protocol, one account after the other."""
        settings = self._settings
        if settings is None:
            return
        organisations = sum(
            account.graph is not None and account.graph.every_mailbox for account in settings.accounts
        )
        sources = Sources(start_date=settings.start_date, stop=self._stop, organisations=organisations)
        for entry in settings.accounts:
            if entry.protocol == self.protocol:
                for account in self._expanded(entry, sources):
                    yield from self._account_records(account, sources, settings)

    def _expanded(self, entry: Account, sources: Sources) -> Iterator[Account]:
        """Yield the accounts an entry stands for; when they cannot be found out, that is its outcome."""
        started = time.monotonic()
        try:
            yield from sources.accounts(entry)
        except AccountError as error:
            logger.error("account %s: %s", entry.name, error)  # noqa: TRY400  # it is explained
            report = Report(failures=[str(error)])
            self._outcomes.append(Outcome(entry.name, report, time.monotonic() - started, interrupted=False))

    def _account_records(
        self, account: Account, sources: Sources, settings: Config
    ) -> Iterator[dict[str, Any]]:
        report = Report()
        started = time.monotonic()
        bookmark: dict[str, Any] = {}
        interrupted = True
        logger.info("account %s: reading", account.name)
        try:
            standing = account_state(cast("dict[str, Any]", self.tap_state), self.name, account.name)
            handover = self._handover(standing, account, settings)
            bookmark = handover.bookmark
            source = sources.open(account, bookmark)
            report = source.report
            yield from self._handed_over(source, handover)
            interrupted = False
        except AccountError as error:
            interrupted = False
            logger.error("account %s: %s", account.name, error)  # noqa: TRY400  # it is explained, not unexpected
            report.failures.append(str(error))
        except Exception as error:  # noqa: BLE001  # one account's surprise must not cost the others their run
            interrupted = False
            # The frames without the message: that may quote mail.
            frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
            logger.error("account %s: unexpected %s at\n%s", account.name, type(error).__name__, frames)  # noqa: TRY400
            report.failures.append(
                f"unexpected {type(error).__name__}: a defect in tap-mailbox, please report it"
            )
        finally:
            report.pending = _pending(bookmark)
            self._outcomes.append(Outcome(account.name, report, time.monotonic() - started, interrupted))

    def _handover(self, standing: dict[str, Any], account: Account, settings: Config) -> Direct:
        options = {
            "account": account.name,
            "email": account.email,
            "with_raw": self.mask["properties", "raw"],
            "limits": settings.limits,
        }
        return Ahead(standing, options, self._parsers) if self._parsers else Direct(standing, options)

    def _handed_over(self, source: Source, handover: Direct) -> Iterator[dict[str, Any]]:
        """Yield the records of one account, and write STATE where everything that its bookmark covers was."""
        try:
            for message in source.messages():
                # The bookmark covers all that came before this message, which is not handed over yet.
                self._stop.check()
                if isinstance(message, Checkpoint):
                    if self._is_worth_a_state(handover.bookmark):
                        yield from self._counted(handover.rest())
                        self._write_state(handover)
                    continue
                if self._is_state_due(handover):
                    yield from self._counted(handover.rest())
                    self._write_state(handover)
                yield from self._counted(handover.put(message))
            yield from self._counted(handover.rest())
            self._write_state(handover)
        except Exception:  # whatever it was that stopped the source, but for a signal:
            # what it gave before that is handed over, or a lasting defect would keep it out for ever.
            self._stop.check()
            yield from self._counted(handover.rest())
            raise
        finally:
            handover.close()

    def _counted(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for record in records:
            yield record
            self._messages_since_state += 1

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Do nothing: the SDK would put a key of its own among the bookmarks that people edit."""

    @property
    def partitions(self) -> None:
        """None: a key of that name in the state is not ours, and the SDK would read it."""

    def _finalize_state(self, state: dict[str, Any] | None = None) -> None:  # noqa: ARG002  # nothing to finalize
        """Have the state written at the end; the SDK would also take keys of others out of it."""
        self.state_manager.is_flushed = False

    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Do nothing: that was done already."""

    def _is_worth_a_state(self, bookmark: dict[str, Any]) -> bool:
        """Whether to write STATE where a folder is done."""
        few = len(bookmark.get("folders") or bookmark.get("paths") or ()) <= FOLDERS_OF_SMALL_STATE
        return few or time.monotonic() - self._last_state >= STATE_SECONDS

    def _is_state_due(self, handover: Direct) -> bool:
        if self._messages_since_state >= STATE_MESSAGES:
            return True
        waited = time.monotonic() - self._last_state >= STATE_SECONDS
        return waited and (self._messages_since_state > 0 or handover.on_its_way)

    def _write_state(self, handover: Direct) -> None:
        """Emit the state as it stands, if it differs from the last one; nothing may be on its way.

        The SDK has no public way to say when (meltano/sdk issue 2879); a test pins this one.
        """
        handover.settle()
        self.state_manager.is_flushed = False
        self._write_state_message()
        self._messages_since_state = 0
        self._last_state = time.monotonic()


class ImapMessages(MessagesStream):
    """`imap_messages`."""

    protocol = "imap"
    stream_name = "imap_messages"


class GraphMessages(MessagesStream):
    """`graph_messages`."""

    protocol = "graph"
    stream_name = "graph_messages"


class FileMessages(MessagesStream):
    """`file_messages`."""

    protocol = "files"
    stream_name = "file_messages"


def _pending(bookmark: dict[str, Any]) -> int:
    """Return how many messages of an account its server still holds back."""
    folders = bookmark.get("folders") or {}
    return sum(len(entry.get("pending") or ()) for entry in folders.values() if isinstance(entry, dict))
