"""Listing and finding folders (E1)."""

from __future__ import annotations

from tests.servers.graph.entities import Folder
from tests.servers.graph.errors import not_found
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.odata import parse_query, replaced
from tests.servers.graph.request import Request
from tests.servers.graph.shapes import FOLDER_PROPERTIES, folder_json

LISTING = frozenset({"select", "top", "skip", "count"})
DEFAULT_PAGE = 10
"""[DOC user-list-mailfolders]"""


def find(box: Mailbox, name: str) -> Folder:
    """Return a folder by id or well-known name, whatever the language of its display name; raise a 404."""
    if name in box.folders:
        return box.folders[name]
    for folder in box.folders.values():
        if folder.well_known is not None and folder.well_known == name.lower():
            return folder
    raise not_found()


def listing(box: Mailbox, parent: Folder, request: Request, origin: str) -> dict[str, object]:
    """Return a page of the folders right below; hidden ones only on request [DOC user-list-mailfolders]."""
    query = parse_query(request.query, allowed=LISTING, properties=FOLDER_PROPERTIES)
    hidden = query.custom.get("includehiddenfolders", "").lower() == "true"
    found = [each for each in box.children(parent) if hidden or not each.hidden]
    # odata.maxpagesize is documented for delta alone, so here it changes nothing [INVENTED, the worst case].
    end = query.skip + (query.top or DEFAULT_PAGE)
    answer: dict[str, object] = {"@odata.context": f"{origin}/v1.0/$metadata#mailFolders"}
    if query.count:
        answer["@odata.count"] = len(found)
    answer["value"] = [folder_json(box, each, query.select) for each in found[query.skip : end]]
    if end < len(found):
        answer["@odata.nextLink"] = f"{origin}{request.path}?{replaced(request.query, '$skip', str(end))}"
    return answer


def single(box: Mailbox, folder: Folder, request: Request) -> dict[str, object]:
    """Return one folder."""
    query = parse_query(request.query, allowed={"select"}, properties=FOLDER_PROPERTIES)
    return folder_json(box, folder, query.select)
