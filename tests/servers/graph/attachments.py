"""Attachments: the list, one of them, its octets (E6)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

from tests.servers.graph.clock import on_the_wire
from tests.servers.graph.entities import Attachment, Message
from tests.servers.graph.errors import bad_request, not_found, not_supported
from tests.servers.graph.ids import derived
from tests.servers.graph.mime import parse
from tests.servers.graph.odata import Query
from tests.servers.graph.request import Response

TYPES = {"file": "fileAttachment", "item": "itemAttachment", "reference": "referenceAttachment"}
COMMON = ("id", "lastModifiedDateTime", "name", "contentType", "size", "isInline")
PROPERTIES = (*COMMON, "contentId", "contentLocation", "contentBytes")


def parts_of(message: Message) -> tuple[Attachment, ...]:
    """Return the attachments that the MIME carries, then those that it does not."""
    carried = tuple(
        Attachment(
            part.name, "item" if part.is_message else "file", part.raw, part.content_type,
            part.content_id, part.inline,
        )
        for part in message.content.parts
    )  # fmt: skip
    return carried + message.attached


def attachments_json(
    message: Message, select: Iterable[str] | None = None, *, expand_item: bool = False
) -> list[dict[str, object]]:
    """Return all of them."""
    every = enumerate(parts_of(message))
    return [_json(message, number, each, select, expand_item=expand_item) for number, each in every]


def listing(message: Message, query: Query) -> dict[str, object]:
    """Return the collection; it has no pages [ISSUE corso, paging reported broken]."""
    return {"value": attachments_json(message, query.select, expand_item=_expands_item(query))}


def single(message: Message, id_: str, query: Query) -> dict[str, object]:
    """Return one attachment."""
    number, found = _find(message, id_)
    return _json(message, number, found, query.select, expand_item=_expands_item(query))


def octets(message: Message, id_: str) -> Response:
    """Return the file, or the MIME of an attached message; a reference has neither [DOC attachment-get]."""
    _, found = _find(message, id_)
    if found.kind == "reference":
        raise not_supported()
    content_type = found.content_type if found.kind == "file" else "text/plain"
    return Response(body=found.raw, content_type=content_type, chunked=True)


def _find(message: Message, id_: str) -> tuple[int, Attachment]:
    for number, each in enumerate(parts_of(message)):
        if _id(message, number) == id_:
            return number, each
    raise not_found()


def _id(message: Message, number: int) -> str:
    return derived("attachment", message.immutable_id, number)


def _expands_item(query: Query) -> bool:
    if query.expand and query.expand.lower() != "microsoft.graph.itemattachment/item":
        raise bad_request(f"Parsing OData Select and Expand failed: '{query.expand}'.")
    return bool(query.expand)


def _json(
    message: Message, number: int, attachment: Attachment, select: Iterable[str] | None, *, expand_item: bool
) -> dict[str, object]:
    values: dict[str, Callable[[], object]] = {
        "id": lambda: _id(message, number),
        "lastModifiedDateTime": lambda: on_the_wire(message.modified),
        "name": lambda: attachment.name,
        "contentType": lambda: attachment.content_type if attachment.kind == "file" else None,
        "size": lambda: len(attachment.raw),
        "isInline": lambda: attachment.inline,
    }
    if attachment.kind == "file":
        values |= {
            "contentId": lambda: attachment.content_id,
            "contentLocation": lambda: None,
            "contentBytes": lambda: base64.b64encode(attachment.raw).decode(),
        }
    chosen = values if select is None else [name for name in dict.fromkeys(["id", *select]) if name in values]
    found: dict[str, object] = {"@odata.type": f"#microsoft.graph.{TYPES[attachment.kind]}"}
    found |= {name: values[name]() for name in chosen}
    if attachment.kind == "item" and expand_item:
        found["item"] = _item(attachment.raw)
    if attachment.kind == "reference" and select is None:
        found |= {"sourceUrl": attachment.source_url, "providerType": "oneDriveConsumer", "isFolder": False}
    return found


def _item(raw: bytes) -> dict[str, object]:
    """Return an attached message; what matters of it here is that it is one [DOC attachment-get]."""
    content = parse(raw)
    kind, body = content.body(as_text=False, unsafe=False)
    return {
        "@odata.type": "#microsoft.graph.message",
        "subject": content.subject,
        "internetMessageId": content.message_id,
        "body": {"contentType": kind, "content": body},
    }
