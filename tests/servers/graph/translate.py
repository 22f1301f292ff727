"""translateExchangeIds: from the id that changes to the one that stays, and back (E8) [DOC user-translateexchangeids]."""

from __future__ import annotations

import json

from tests.servers.graph.errors import bad_request
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.request import Request

FORMS = {"restId": False, "restImmutableEntryId": True}
MAX_IDS = 1000


def translate(box: Mailbox, request: Request) -> dict[str, object]:
    """Return the pairs; ids that are unknown come with errorDetails."""
    try:
        asked = json.loads(request.body)
        ids, source, target = asked["inputIds"], asked["sourceIdType"], asked["targetIdType"]
    except (ValueError, KeyError, TypeError):
        raise bad_request("inputIds, sourceIdType and targetIdType are required.") from None
    if not isinstance(ids, list) or len(ids) > MAX_IDS:
        raise bad_request(f"inputIds: expected a list of at most {MAX_IDS}.")
    if source not in FORMS or target not in FORMS:
        raise bad_request(f"Expected id types among {', '.join(FORMS)}.")
    return {"value": [_pair(box, id_, immutable=FORMS[target]) for id_ in ids]}


def _pair(box: Mailbox, id_: str, *, immutable: bool) -> dict[str, object]:
    try:
        message = box.message(id_)
    except KeyError:
        return {"sourceId": id_, "errorDetails": {"code": "ErrorItemNotFound"}}
    return {"sourceId": id_, "targetId": message.id_as(immutable=immutable)}
