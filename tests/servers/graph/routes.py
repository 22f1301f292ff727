"""From a path to what answers it (5.2); `/me` and `/users/{id}` lead to the same places."""

from __future__ import annotations

from tests.servers.graph import attachments, folders, messages, users
from tests.servers.graph.delta import FolderWalk, MessageWalk, sync_folder_not_found
from tests.servers.graph.errors import (
    GraphError,
    access_denied,
    bad_request,
    mailbox_not_enabled,
    not_supported,
)
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.odata import parse_query
from tests.servers.graph.quirks import Quirks
from tests.servers.graph.request import Request, Response, json_response
from tests.servers.graph.rounds import Rounds
from tests.servers.graph.tokens import Granted
from tests.servers.graph.translate import translate


class Routes:
    """Finds the endpoint for a request whose token is known to be good."""

    def __init__(
        self, boxes: list[Mailbox], rounds: Rounds, quirks: Quirks, *, origin: str, seed: int
    ) -> None:
        self._boxes, self._rounds, self._quirks = boxes, rounds, quirks
        self._own_origin, self._seed = origin, seed
        self._reads = 0

    def answer(self, request: Request, grant: Granted) -> Response:
        """Return the answer; raise a GraphError."""
        match request.method, request.segments:
            case "GET", ["users"]:
                if grant.mailbox is not None:
                    raise access_denied()
                found: Response | dict[str, object] = users.listing(self._boxes, request, self._origin)
            case _, ["me", *rest]:
                found = self._of_user(users.find(self._boxes, self._me(grant)), "/v1.0/me", rest, request)
            case _, ["users", who, *rest]:
                box = users.find(self._boxes, who)
                if grant.mailbox is not None and grant.mailbox.lower() != box.address.lower():
                    raise access_denied()
                found = self._of_user(box, f"/v1.0/users/{who}", rest, request)
            case _:
                raise _no_such_segment(request)
        return found if isinstance(found, Response) else json_response(found)

    @property
    def _origin(self) -> str:
        return self._quirks.foreign_links or self._own_origin

    @staticmethod
    def _me(grant: Granted) -> str:
        if grant.mailbox is None:  # [DOC auth-v2-service]
            raise bad_request("/me request is only valid with delegated authentication flow.")
        return grant.mailbox

    def _of_user(
        self, box: Mailbox, prefix: str, rest: list[str], request: Request
    ) -> Response | dict[str, object]:
        if request.method == "GET" and not rest:
            return users.single(box, request)
        if not box.licensed:
            raise mailbox_not_enabled()
        match request.method, rest:
            case "GET", ["mailfolders", *below]:
                return self._in_folders(box, prefix, below, request)
            case "GET", ["messages", "delta"]:  # E3 [ISSUE docs#2153]
                raise bad_request("Change tracking is not supported against 'microsoft.graph.message'.")
            case "GET", ["messages"]:
                return messages.listing(box, None, request, self._quirks, self._origin)
            case "GET", ["messages", id_, *below]:
                return self._of_message(box, id_, below, request)
            case "POST", ["translateexchangeids"]:
                return translate(box, request)
            case ("GET", _) | ("POST", _):
                raise _no_such_segment(request)
            case _:  # a reader's double writes nothing
                raise not_supported()

    def _in_folders(
        self, box: Mailbox, prefix: str, below: list[str], request: Request
    ) -> Response | dict[str, object]:
        if below == ["delta"]:
            link = f"{self._origin}{prefix}/mailFolders/delta"
            return self._rounds.answer(FolderWalk(box, request), link)
        if not below:
            return folders.listing(box, box.root, request, self._origin)
        name, *below = below
        if below == ["messages", "delta"]:
            return self._message_delta(box, prefix, name, request)
        folder = folders.find(box, name)
        match below:
            case []:
                return folders.single(box, folder, request)
            case ["childfolders"]:
                return folders.listing(box, folder, request, self._origin)
            case ["messages"]:
                return messages.listing(box, folder, request, self._quirks, self._origin)
            case ["messages", id_]:
                return messages.single(messages.find(box, id_, folder=folder), request)
            case ["messages", _, "$value"]:
                raise not_supported()
            case _:
                raise _no_such_segment(request)

    def _message_delta(self, box: Mailbox, prefix: str, name: str, request: Request) -> dict[str, object]:
        try:
            folder = folders.find(box, name)
        except GraphError:
            if "token=" in request.query:
                raise sync_folder_not_found() from None
            raise
        walk = MessageWalk(box, folder, request, quirks=self._quirks, seed=self._seed)
        # A link spells the path in another way than the first URL (1.2) [DOC message-delta].
        return self._rounds.answer(walk, f"{self._origin}{prefix}/mailFolders('{folder.id}')/messages/delta")

    def _of_message(
        self, box: Mailbox, id_: str, below: list[str], request: Request
    ) -> Response | dict[str, object]:
        message = messages.find(box, id_)
        match below:
            case []:
                return messages.single(message, request)
            case ["$value"]:
                self._reads += 1
                return messages.mime(message, self._quirks, self._reads)
            case ["attachments", attachment, "$value"]:
                return attachments.octets(message, attachment)
            case ["attachments", *rest] if len(rest) < 2:
                query = parse_query(
                    request.query, allowed={"select", "expand", "top"}, properties=attachments.PROPERTIES
                )
                return (
                    attachments.single(message, rest[0], query)
                    if rest
                    else attachments.listing(message, query)
                )
            case _:
                raise _no_such_segment(request)


def _no_such_segment(request: Request) -> GraphError:
    return bad_request(f"Resource not found for the segment in '{request.path}'.")
