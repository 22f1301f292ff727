"""Listing and reading messages (E2, E4, E5)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import partial

from tests.servers.graph.entities import Folder, Message
from tests.servers.graph.errors import GraphError, bad_request, not_found
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.odata import Query, Value, parse_query, refuse_inefficient, replaced
from tests.servers.graph.quirks import Quirks
from tests.servers.graph.request import Request, Response
from tests.servers.graph.shapes import FILTERABLE, PROPERTIES, Manner, message_json, others

LISTING = frozenset(["select", "filter", "orderby", "top", "skip", "count", "expand"])
DEFAULT_PAGE = 10
"""[DOC user-list-messages]"""
BOUNDARY = re.compile(rb'(?im)^content-type:[^\n]*(?:\n[ \t][^\n]*)*?boundary="?([^"\s;]+)')


def find(box: Mailbox, id_: str, *, folder: Folder | None = None) -> Message:
    """Return the message with this id, of either form; raise a 404."""
    try:
        message = box.message(id_)
    except KeyError:
        raise not_found() from None
    if folder is not None and message.folder is not folder:
        raise not_found()
    return message


def refuse_poison(messages: Sequence[Message], quirks: Quirks) -> None:
    """Raise the 500 that one corrupt item makes of a whole page (D8) [ISSUE docs#2913]."""
    if quirks.poison in messages:
        raise GraphError(500, "InternalServerError", "An unexpected error occurred.")


def listing(
    box: Mailbox, folder: Folder | None, request: Request, quirks: Quirks, origin: str
) -> dict[str, object]:
    """Return a page of a folder, or of the whole mailbox, newest first unless ordered otherwise."""
    query = parse_query(request.query, allowed=LISTING, properties=PROPERTIES)
    refuse_inefficient(query)
    found = _ordered(_filtered(box.messages(folder), query), query)
    size = min(query.top or request.page_size or DEFAULT_PAGE, quirks.page_size_cap)
    # Items that are no messages take places too, so $skip is more than what was given [DOC user-list-messages].
    places = ((number + others(number), each) for number, each in enumerate(found))
    rest = [(place, each) for place, each in places if place >= query.skip]
    page = [each for _, each in rest[:size]]
    refuse_poison(page, quirks)
    manner = Manner.of(request, query.expand)
    answer: dict[str, object] = {"@odata.context": f"{origin}/v1.0/$metadata#messages"}
    if query.count:
        answer["@odata.count"] = len(found)
    answer["value"] = [message_json(each, query.select, manner) for each in page]
    if len(rest) > size:
        following = replaced(request.query, "$skip", str(rest[size][0]))
        answer["@odata.nextLink"] = f"{origin}{request.path}?{following}"
    return answer


def single(message: Message, request: Request) -> dict[str, object]:
    """Return one message."""
    query = parse_query(request.query, allowed={"select", "expand"}, properties=PROPERTIES)
    return message_json(message, query.select, Manner.of(request, query.expand))


def mime(message: Message, quirks: Quirks, serial: int) -> Response:
    """Return the MIME, chunked, without a length; the content type is a guess [UNVERIFIED] (E5)."""
    raw = _jittered(message.raw, serial) if quirks.mime_jitter else message.raw
    return Response(body=raw, content_type="text/plain", chunked=True)


def matches(message: Message, query: Query) -> bool:
    """Say whether a message passes `$filter`."""
    return all(each.holds(_value(message, each.property)) for each in query.filter)


def _filtered(messages: list[Message], query: Query) -> list[Message]:
    return [each for each in messages if matches(each, query)] if query.filter else messages


def _ordered(messages: list[Message], query: Query) -> list[Message]:
    found = messages
    for name, descending in reversed(query.orderby or (("receivedDateTime", True),)):
        found = sorted(found, key=partial(_value, name=name), reverse=descending)  # type: ignore[arg-type]
    return found


def _value(message: Message, name: str) -> Value:
    if name not in FILTERABLE:
        raise bad_request(f"The property '{name}' cannot be used in $filter or $orderby.")
    return FILTERABLE[name](message)


def _jittered(raw: bytes, serial: int) -> bytes:
    """Return the MIME with every boundary new, as it is made anew for each read."""
    for number, boundary in zip(itertools.count(), dict.fromkeys(BOUNDARY.findall(raw))):
        raw = raw.replace(boundary, b"_%03d_%08x_" % (number, serial))
    return raw
