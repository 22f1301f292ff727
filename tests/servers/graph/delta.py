"""What delta tells of messages and of folders (D3 to D6, D8)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers.graph.changes import (
    PARTIAL,
    Change,
    FolderChange,
    changes,
    folder_changes,
    visible_until,
)
from tests.servers.graph.entities import Folder
from tests.servers.graph.errors import GraphError, bad_request
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.messages import matches, refuse_poison
from tests.servers.graph.odata import Query, parse_query
from tests.servers.graph.quirks import Quirks
from tests.servers.graph.request import Request
from tests.servers.graph.rounds import Walk
from tests.servers.graph.shapes import FOLDER_PROPERTIES, PROPERTIES, Manner, folder_json, message_json

OPTIONS = frozenset({"select", "filter", "orderby", "top", "expand"})
"""[DOC message-delta]"""
NEWEST_FIRST = (("receivedDateTime", True),)
FOLDERS = "mailFolders"
"""The scope of `mailFolders/delta`."""


class MessageWalk(Walk):
    """`mailFolders/{id}/messages/delta` (E3)."""

    def __init__(self, box: Mailbox, folder: Folder, request: Request, *, quirks: Quirks, seed: int) -> None:
        if quirks.quota_on_delta:
            raise GraphError(403, "ErrorQuotaExceeded", "Cannot save changes made to an item to store.")
        if folder.search:
            raise bad_request("Change tracking is not supported against a search folder.")  # [INVENTED]
        super().__init__(box, folder.id, request)
        self._folder, self._quirks, self._seed = folder, quirks, seed

    def query(self) -> Query:
        query = parse_query(self.request.query, allowed=OPTIONS, properties=PROPERTIES)
        if query.orderby not in {(), NEWEST_FIRST}:
            raise bad_request("$orderby: only receivedDateTime desc is supported.")
        if any(
            each.property != "receivedDateTime" or each.operator not in {"ge", "gt"} for each in query.filter
        ):
            raise bad_request("$filter: only receivedDateTime ge and gt are supported.")
        if query.custom.get("changetype", "created") not in {"created", "updated", "deleted"}:
            raise bad_request("changeType: expected created, updated or deleted.")
        return query

    def begin(self, query: Query, after: int) -> tuple[int, Sequence[Change]]:
        folder = self._folder
        folder.delta_rounds += 1
        shown = visible_until(folder.journal, rounds=folder.delta_rounds, lag=self._quirks.lag)
        until = max(after, shown)
        found = changes(
            folder.journal, after=after, until=until, immutable=self.request.immutable, quirks=self._quirks,
            seed=f"{self._seed} {folder.id} {after} {until}",
        )  # fmt: skip
        # What was removed passes every filter [ISSUE contrib PR#9760].
        found = [
            each for each in found if _wanted(each, query) and (each.removed or matches(each.message, query))
        ]
        if query.orderby:
            found.sort(key=lambda each: each.message.received, reverse=True)
        # D6: $top caps what comes in all [ISSUE docs#2232]; a filter caps it too [DOC], and both end in a
        # deltaLink as though that were everything [INVENTED, the worst case].
        cap = min(query.top or len(found), self._quirks.filter_cap if query.filter else len(found))
        return until, found[:cap]

    def page(self, query: Query, items: Sequence[Change]) -> list[dict[str, object]]:
        refuse_poison([each.message for each in items if not each.removed], self._quirks)
        return [self._entry(each, query) for each in items]

    def followed(self) -> None:
        if self._quirks.folder_deleted_mid_round is self._folder:
            self._quirks.folder_deleted_mid_round = None
            self.box.delete_folder(self._folder)
            raise sync_folder_not_found()

    def _entry(self, change: Change, query: Query) -> dict[str, object]:
        id_ = change.id_as(immutable=self.request.immutable)
        if change.removed:  # D4 [DOC message-delta]
            return {"@odata.type": "#microsoft.graph.message", "id": id_, "@removed": {"reason": "deleted"}}
        select = PARTIAL if change.partial else query.select
        shown = message_json(change.message, select, Manner.of(self.request, query.expand), delta=True)
        # A page shows the round's snapshot: the message may have moved since (D1).
        return (
            shown | {"id": id_} | ({"parentFolderId": self._folder.id} if "parentFolderId" in shown else {})
        )


class FolderWalk(Walk):
    """`mailFolders/delta`: folders at any depth, never their messages; `$select` only [DOC mailfolder-delta]."""

    def __init__(self, box: Mailbox, request: Request) -> None:
        super().__init__(box, FOLDERS, request)

    def query(self) -> Query:
        return parse_query(self.request.query, allowed={"select"}, properties=FOLDER_PROPERTIES)

    def begin(self, query: Query, after: int) -> tuple[int, Sequence[FolderChange]]:
        until = self.box.folder_journal[-1].seq
        return until, folder_changes(self.box.folder_journal, after=after, until=until)

    def page(self, query: Query, items: Sequence[FolderChange]) -> list[dict[str, object]]:
        return [
            folder_json(self.box, each.folder, query.select)
            if not each.removed and each.folder in self.box.contents
            else {"id": each.folder.id, "@removed": {"reason": "deleted"}}
            for each in items
        ]


def sync_folder_not_found() -> GraphError:
    """Return what a link of a folder brings that is no more (D8) [ISSUE corso#1849]."""
    return GraphError(404, "ErrorSyncFolderNotFound", "The specified folder could not be found in the store.")


def _wanted(change: Change, query: Query) -> bool:
    """Say whether `changeType` lets a change through [DOC message-delta]."""
    kind = "deleted" if change.removed else "created" if change.created else "updated"
    return query.custom.get("changetype", kind) == kind
