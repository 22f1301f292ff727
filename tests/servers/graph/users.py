"""The users of the tenant (GET /users) and the one who signed in."""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers.graph.errors import GraphError, bad_request
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.odata import Query, parse_query, replaced
from tests.servers.graph.request import Request

PROPERTIES = (
    "id",
    "userPrincipalName",
    "mail",
    "displayName",
    "accountEnabled",
    "userType",
    "assignedLicenses",
)
DEFAULT = ("id", "userPrincipalName", "mail", "displayName")
"""Licences only with `$select` [DOC user-list]."""
DEFAULT_PAGE = 100
SKU = "f245ecc8-75af-4f8e-b61f-27d8114de5f3"


def find(boxes: Sequence[Mailbox], who: str) -> Mailbox:
    """Return the mailbox of a user by id or principal name, without case; raise a 404."""
    for box in boxes:
        if who.lower() in {box.address.lower(), box.id}:
            return box
    raise GraphError(404, "ErrorInvalidUser", f"The requested user '{who}' is invalid.")


def listing(boxes: Sequence[Mailbox], request: Request, origin: str) -> dict[str, object]:
    """Return a page of users; `$top` up to 999 [DOC user-list]."""
    query = parse_query(
        request.query, allowed={"select", "top", "filter", "skiptoken"}, properties=PROPERTIES
    )
    found = [each for each in boxes if _matches(each, query)]
    if not (query.token or "0").isdigit():
        raise bad_request("Badly formed token.")
    start = int(query.token or 0)
    end = start + min(query.top or DEFAULT_PAGE, 999)
    answer: dict[str, object] = {"value": [user_json(each, query) for each in found[start:end]]}
    if end < len(found):
        answer["@odata.nextLink"] = (
            f"{origin}{request.path}?{replaced(request.query, '$skiptoken', str(end))}"
        )
    return answer


def single(box: Mailbox, request: Request) -> dict[str, object]:
    """Return one user."""
    return user_json(box, parse_query(request.query, allowed={"select"}, properties=PROPERTIES))


def user_json(box: Mailbox, query: Query) -> dict[str, object]:
    """Return a user as far as `$select` asks."""
    whole = _whole(box)
    return {name: whole[name] for name in query.select or DEFAULT}


def _whole(box: Mailbox) -> dict[str, object]:
    return {
        "id": box.id,
        "userPrincipalName": box.address,
        "mail": box.address if box.licensed else None,
        "displayName": box.address.partition("@")[0].title(),
        "accountEnabled": True,
        "userType": "Member",
        "assignedLicenses": [{"skuId": SKU, "disabledPlans": []}] if box.licensed else [],
    }


def _matches(box: Mailbox, query: Query) -> bool:
    return all(each.holds(_whole(box)[each.property]) for each in query.filter)  # type: ignore[arg-type]
