"""A message whose MIME Graph cannot give, put together from the fields and attachments that it can.

`$value` fails for good on some messages: too large, opaque S/MIME, corrupt (research of 2026-11, 1.6).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_mailbox.errors import AccountError, CredentialError, PoliteStop, Unavailable
from tap_mailbox.message import Content, JsonMessage
from tap_mailbox.mime import Defect
from tap_mailbox.sources.graph.folders import pages
from tap_mailbox.sources.graph.replies import Malformed, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mailbox.message import Seen
    from tap_mailbox.sources.graph.client import GraphClient

_SELECT = (
    "id,subject,from,sender,toRecipients,ccRecipients,bccRecipients,replyTo,internetMessageId,"
    "internetMessageHeaders,sentDateTime,receivedDateTime,body"
)
_UNSANITISED = "outlook.allow-unsafe-html"
"""Without it Outlook rewrites the HTML."""
_ITEM = "#microsoft.graph.itemattachment"
_REFERENCE = "#microsoft.graph.referenceattachment"


class Incomplete(AccountError):
    """The fields are there, but the service had no answer about an attachment, which may pass."""


def rebuilt(client: GraphClient, identity: str, seen: Seen, *, settle: bool) -> JsonMessage:
    """Return message *identity* as its fields, bodies and attachments say it.

    *settle* takes an attachment the service has no answer of its own about for one that it refuses for good.

    Raises:
        Refused: not even its fields can be had.
        Malformed: they come without the body, which is what Mail.ReadBasic gives.
        Incomplete: without *settle*.
        Unavailable, PoliteStop, CredentialError: see `GraphClient.json`.
    """
    path = f"/messages/{quote(identity, safe='')}"
    fields = client.json(
        client.url(path, f"$select={_SELECT}"), doing="fetching a message's fields", prefer=_UNSANITISED
    )
    if not isinstance(fields.get("body", ""), dict | None):
        raise Malformed("fetching a message's fields: the service gives them without the body")
    body = fields["body"] or {}
    headers = fields.get("internetMessageHeaders")
    contents = list(_contents(client, path, settle=settle))
    defects = [Defect.MIME_UNAVAILABLE, *([] if all(contents) else [Defect.ATTACHMENT_UNAVAILABLE])]
    is_html = str(body.get("contentType")).lower() == "html"
    return JsonMessage(
        {
            "message_id": fields.get("internetMessageId"),
            "date": fields.get("sentDateTime") or fields.get("receivedDateTime"),
            "subject": fields.get("subject"),
            "from": _mailboxes(fields.get("from")),
            "sender": _mailboxes(fields.get("sender")),
            "to": _mailboxes(fields.get("toRecipients")),
            "cc": _mailboxes(fields.get("ccRecipients")),
            "bcc": _mailboxes(fields.get("bccRecipients")),
            "reply_to": _mailboxes(fields.get("replyTo")),
            "body_html" if is_html else "body_text": body.get("content"),
        },
        seen,
        headers=tuple(_headers(headers)) if isinstance(headers, list) else (),
        attachments=tuple(content for content in contents if content is not None),
        defects=tuple(str(each) for each in defects),
    )


def _contents(client: GraphClient, path: str, *, settle: bool) -> Iterator[Content | None]:
    """Yield every attachment; one whose content cannot be had comes empty, followed by None.

    The listing is asked for names only, and whatever hasAttachments says: it is false when all are inline.
    """
    url = client.url(f"{path}/attachments", "$select=id,name,contentType,size,isInline")
    try:
        for entry in pages(client, url, doing="listing a message's attachments"):
            octets, content_id = _octets(client, path, entry, settle=settle)
            kind, name = entry.get("contentType"), entry.get("name")
            if str(entry.get("@odata.type")).lower() == _ITEM:
                kind = "message/rfc822"
            yield Content(
                octets=octets or b"",
                filename=name if isinstance(name, str) else None,
                content_type=kind if isinstance(kind, str) else "application/octet-stream",
                content_id=content_id,
                inline=entry.get("isInline") is True,
            )
            if octets is None:
                yield None
    except (CredentialError, PoliteStop, Incomplete):
        raise
    except AccountError as error:
        if _may_pass(error) and not settle:
            raise Incomplete(str(error)) from None
        # Too many to list, or the listing is broken: the message without them is more than nothing.
        yield None


def _octets(
    client: GraphClient, path: str, entry: dict[str, Any], *, settle: bool
) -> tuple[bytes | None, str | None]:
    """Return the content of an attachment and its Content-ID; None for what cannot be had."""
    if str(entry.get("@odata.type")).lower() == _REFERENCE:
        # It stands for a file in the cloud; `$value` answers 405.
        return None, None
    own = f"{path}/attachments/{quote(entry['id'], safe='')}"
    doing = "fetching an attachment"
    content_id = None
    try:
        if str(entry.get("@odata.type")).lower() != _ITEM:
            whole = client.json(client.url(own), doing=doing)
            content_id = whole.get("contentId")
            if isinstance(encoded := whole.get("contentBytes"), str):
                return base64.b64decode(encoded), str(content_id or "") or None
            fetched = client.octets(client.url(f"{own}/$value"), doing=doing)
        else:
            # A file may be empty, or a page of HTML; an attached message is neither.
            fetched = client.mime(client.url(f"{own}/$value"), doing=doing)
        return fetched, str(content_id or "") or None
    except (CredentialError, PoliteStop):
        raise
    except (AccountError, binascii.Error) as error:
        if _may_pass(error) and not settle:
            raise Incomplete(str(error)) from None
        return None, None


def _may_pass(error: Exception) -> bool:
    """Whether an error is no word of the service's: it, or something before it, is in trouble."""
    return isinstance(error, Unavailable | Malformed) or (isinstance(error, Refused) and not error.codes)


def _headers(values: list[Any]) -> Iterator[tuple[str, str]]:
    for each in values:
        name, value = (each.get("name"), each.get("value")) if isinstance(each, dict) else (None, None)
        if isinstance(name, str) and isinstance(value, str):
            yield name, value


def _mailboxes(value: object) -> str:
    """Return recipients as an address field has them."""
    found = []
    for each in value if isinstance(value, list) else [value]:
        mailbox = each.get("emailAddress") if isinstance(each, dict) else None
        if isinstance(mailbox, dict):
            name, address = mailbox.get("name"), mailbox.get("address")
            quoted = str(name or "").replace("\\", "\\\\").replace('"', '\\"')
            found.append(f'"{quoted}" <{address}>' if quoted and name != address else str(address or ""))
    return ", ".join(each for each in found if each)
