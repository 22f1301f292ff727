"""Messages and folders as JSON, property by property, so that `$select` costs only what it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.servers.graph.attachments import attachments_json, parts_of
from tests.servers.graph.clock import on_the_wire
from tests.servers.graph.entities import Folder, Message
from tests.servers.graph.errors import bad_request
from tests.servers.graph.ids import derived
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.mime import Address
from tests.servers.graph.odata import Value
from tests.servers.graph.request import Request


@dataclass(frozen=True)
class Manner:
    """How a request wants its messages (H1): the id form, the body's form, what is expanded."""

    immutable: bool = False
    as_text: bool = False
    unsafe: bool = False
    expand: str = ""

    @classmethod
    def of(cls, request: Request, expand: str = "") -> Manner:
        """Return what the preferences of a request say."""
        as_text = request.prefer.get("outlook.body-content-type", "").lower() == "text"
        return cls(request.immutable, as_text, "outlook.allow-unsafe-html" in request.prefer, expand)


def _recipient(address: Address) -> dict[str, object]:
    return {"emailAddress": {"name": address[0] or address[1], "address": address[1]}}


def _one(name: str) -> Callable[[Message, Manner], object]:
    def read(message: Message, _: Manner) -> object:
        found = message.content.addresses[name] or message.content.addresses["from"]
        return _recipient(found[0]) if found else None

    return read


def _all(name: str) -> Callable[[Message, Manner], object]:
    return lambda message, _: [_recipient(each) for each in message.content.addresses[name]]


def _body(message: Message, manner: Manner) -> object:
    kind, content = message.content.body(as_text=manner.as_text, unsafe=manner.unsafe)
    return {"contentType": kind, "content": content}


def _preview(message: Message, _: Manner) -> object:
    return " ".join(message.content.body(as_text=True, unsafe=False)[1].split())[:255]


def _headers(message: Message, _: Manner) -> object:
    return [{"name": name, "value": value} for name, value in message.content.headers]


PROPERTIES: dict[str, Callable[[Message, Manner], object]] = {
    "id": lambda message, manner: message.id_as(immutable=manner.immutable),
    "createdDateTime": lambda message, _: on_the_wire(message.created),
    "lastModifiedDateTime": lambda message, _: on_the_wire(message.modified),
    "changeKey": lambda message, _: message.change_key,
    "categories": lambda message, _: list(message.categories),
    "receivedDateTime": lambda message, _: on_the_wire(message.received),
    "sentDateTime": lambda message, _: on_the_wire(message.content.sent or message.received),
    # False when all of them are inline [DOC resources/message].
    "hasAttachments": lambda message, _: any(not each.inline for each in parts_of(message)),
    "internetMessageId": lambda message, _: message.content.message_id,
    "internetMessageHeaders": _headers,
    "subject": lambda message, _: message.content.subject,
    "bodyPreview": _preview,
    "importance": lambda message, _: "normal",
    "parentFolderId": lambda message, _: message.folder.id,
    "conversationId": lambda message, _: derived("conversation", message.content.subject),
    "isRead": lambda message, _: message.read,
    "isDraft": lambda message, _: message.draft,
    "webLink": lambda message, _: f"https://outlook.invalid/owa/?ItemID={message.id}",
    "inferenceClassification": lambda message, _: "focused",
    "body": _body,
    "uniqueBody": _body,
    "sender": _one("sender"),
    "from": _one("from"),
    "toRecipients": _all("to"),
    "ccRecipients": _all("cc"),
    "bccRecipients": _all("bcc"),
    "replyTo": _all("reply-to"),
    "flag": lambda message, _: {"flagStatus": "flagged" if message.flagged else "notFlagged"},
}
ON_REQUEST = frozenset({"internetMessageHeaders", "uniqueBody"})
"""Only with `$select` (E4) [DOC resources/message]."""
DEFAULT = tuple(name for name in PROPERTIES if name not in ON_REQUEST)
EXPANSION = re.compile(
    r"(attachments|singleValueExtendedProperties)(?:\(\$?(\w+)=([^()]*)\))?", re.IGNORECASE
)


def message_json(
    message: Message, select: Iterable[str] | None, manner: Manner, *, delta: bool = False
) -> dict[str, object]:
    """Return a message; the id always comes [DOC delta-query-messages], and so does the etag."""
    found: dict[str, object] = {"@odata.type": "#microsoft.graph.message"} if delta else {}
    found["@odata.etag"] = f'W/"{message.change_key}"'
    for name in dict.fromkeys(["id", *(DEFAULT if select is None else select)]):
        found[name] = PROPERTIES[name](message, manner)
    for relation, option, value in _expansions(manner.expand):
        if relation == "attachments":
            # $select inside $expand=attachments is ignored [ISSUE contrib#8431].
            found["attachments"] = attachments_json(message)
        elif not delta:  # delta gives no extended properties [ISSUE davmail#500]
            wanted = re.findall(r"id\s+eq\s+'([^']*)'", value) if option.lower() == "filter" else []
            given = [
                {"id": each, "value": message.extended[each]} for each in wanted if each in message.extended
            ]
            if given:
                found["singleValueExtendedProperties"] = given
    return found


def _expansions(text: str) -> list[tuple[str, str, str]]:
    found, rest = [], text.strip()
    while rest:
        if (matched := EXPANSION.match(rest)) is None:
            raise bad_request(f"Parsing OData Select and Expand failed: '{text}'.")
        name = "attachments" if matched[1].lower() == "attachments" else "singleValueExtendedProperties"
        found.append((name, matched[2] or "", matched[3] or ""))
        rest = rest[matched.end() :].lstrip(", ")
    return found


FILTERABLE: dict[str, Callable[[Message], Value]] = {
    "receivedDateTime": lambda message: message.received,
    "sentDateTime": lambda message: message.content.sent or message.received,
    "createdDateTime": lambda message: message.created,
    "lastModifiedDateTime": lambda message: message.modified,
    "isRead": lambda message: message.read,
    "isDraft": lambda message: message.draft,
    "subject": lambda message: message.content.subject,
    "internetMessageId": lambda message: message.content.message_id or "",
}
"""What listings filter and order by; times to the microsecond, finer than they are shown [ISSUE python-o365#1084]."""

FOLDER_PROPERTIES = (
    "id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "sizeInBytes",
    "isHidden",
)  # fmt: skip
"""v1.0; `wellKnownName` is beta's, and so a 400 here (1.1) [ISSUE docs PR#6941]."""


def folder_json(box: Mailbox, folder: Folder, select: Iterable[str] | None) -> dict[str, object]:
    """Return a folder; ids are constant and have one form only [DOC outlook-immutable-id]."""
    held = box.messages(folder)
    whole: dict[str, object] = {
        "id": folder.id,
        "displayName": folder.display_name,
        "parentFolderId": (folder.parent or box.root).id,
        "childFolderCount": sum(not each.hidden for each in box.children(folder)),
        "unreadItemCount": sum(not each.read for each in held),
        # Items that are no messages count as well, so it is a hint only [DOC user-list-mailfolders].
        "totalItemCount": len(held) + others(len(held)),
        "sizeInBytes": sum(len(each.raw) for each in held),
        "isHidden": folder.hidden,
    }
    shown = {
        name: whole[name]
        for name in dict.fromkeys(["id", *(FOLDER_PROPERTIES if select is None else select)])
    }
    if folder.search:
        shown = {"@odata.type": "#microsoft.graph.mailSearchFolder", **shown}
        if select is None:
            shown |= {"isSupported": True, "includeNestedFolders": True, "filterQuery": "isRead eq false"}
            shown["sourceFolderIds"] = [box.root.id]
    return shown


def others(messages: int) -> int:
    """Return how many items that are no messages lie among so many messages [INVENTED number]."""
    return messages // 6
