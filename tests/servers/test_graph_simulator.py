"""Whole walks against the Graph simulator: a careful reader gets every message, and every carelessness costs some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.graph import Folder, GraphServer, Mailbox, Request
from tests.servers.graph.plain_client import PlainClient

MESSAGES = 40


class Reader:
    """Reads a mailbox round by round, as carefully as it is told."""

    def __init__(self, client: PlainClient, careless: str = "") -> None:
        self.client, self.careless = client, careless
        self.prefer = "odata.maxpagesize=7" + ("" if careless == "mutable ids" else ', IdType="ImmutableId"')
        self.links: dict[str, str] = {}
        self.seen: set[str] = set()
        self.read: list[bytes] = []

    def round(self) -> None:
        """Read what is new in every folder."""
        for folder in list(self.folders("/me/mailFolders")):
            path = f"/me/mailFolders/{folder}/messages/delta?$select=id"
            if self.careless == "$top":
                path += "&$top=5"
            if self.careless == "$filter":
                path += "&$filter=receivedDateTime ge 2000-01-01"
            for item in self.items(folder, self.links.get(folder, path)):
                self.take(item)

    def folders(self, path: str) -> Iterator[str]:
        """Yield the folders there and below."""
        hidden = "" if self.careless == "hidden folders" else "?includeHiddenFolders=true"
        pages = self.client.pages(path + hidden)
        for folder in [
            each for page in pages[: 1 if self.careless == "paging" else None] for each in page["value"]
        ]:
            if "@odata.type" in folder:
                continue
            yield folder["id"]
            if self.careless != "recursion":
                yield from self.folders(f"/me/mailFolders/{folder['id']}/childFolders")

    def items(self, folder: str, link: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a round, and keep its deltaLink."""
        while link:
            page = self.client.json(link, self.prefer)
            yield from page["value"]
            self.links[folder] = page.get("@odata.deltaLink", link)
            link = page.get("@odata.nextLink", "")
            if self.careless == "empty pages" and not page["value"]:
                return

    def take(self, item: dict[str, Any]) -> None:
        """Read a message that was not read before."""
        key = item["id"].lower() if self.careless == "case" else item["id"]
        if key in self.seen or (self.careless == "@removed" and "@removed" in item):
            return
        answer = self.client.get(f"/me/messages/{item['id']}/$value")
        if answer.status_code == 200:
            self.seen.add(key)
            self.read.append(answer.content)


class Life:
    """What happens to a mailbox while it is read: with every fifth request mail arrives, moves and returns."""

    def __init__(self, box: Mailbox, folders: list[Folder]) -> None:
        self.box, self.folders = box, folders
        self.sent: list[bytes] = []
        self.requests = 0

    def deliver(self, folder: Folder) -> None:
        self.sent.append(b"Subject: %d\r\n\r\nbody\r\n" % len(self.sent))
        self.box.deliver(self.sent[-1], folder=folder)

    def __call__(self, request: Request) -> None:
        self.requests += 1
        if self.requests % 5 or not request.path.endswith("$value"):
            return
        number = self.requests // 5
        here, there = (self.folders[(number + step) % len(self.folders)] for step in (0, 1))
        self.deliver(here)
        for message in self.box.messages(here)[-2:]:
            self.box.move(message, there)
            if number % 2:
                self.box.move(message, here)


@pytest.mark.parametrize(
    ("careless", "complete"),
    [
        ("", True),
        ("@removed", False),
        ("$top", False),
        ("$filter", False),
        ("case", False),
        ("empty pages", False),
        ("hidden folders", False),
        ("paging", False),
        ("recursion", False),
    ],
)
def test_only_a_careful_reader_gets_everything(careless: str, complete: bool) -> None:
    """Once each, with the worst switched on, while mail comes and moves; then the reader has it all (R1 to R8)."""
    with GraphServer() as graph:
        box = graph.new_mailbox("ann@outlook.example")
        work = box.new_folder("Work", parent=box.folder("inbox"))
        deep, last = box.new_folder("2026", parent=work), box.new_folder("Last")
        life = Life(box, [box.folder("inbox"), work, deep, last, box.folder("Yammer Root")])
        for number in range(MESSAGES):
            life.deliver(life.folders[number % 5])
        quirks = graph.quirks
        quirks.boomerang = quirks.duplicates = quirks.empty_pages = quirks.removed_in_first_round = True
        quirks.filter_cap, quirks.lag = 5, 1
        reader = Reader(PlainClient(graph), careless)
        graph.hook = life
        for _ in range(2):  # the first sees little: everything lags
            reader.round()
        graph.hook = None
        for _ in range(3):
            reader.round()
        assert not complete or len(life.sent) > MESSAGES
        assert complete == (sorted(life.sent) == sorted(reader.read))
        assert [] == graph.throttle.violations
        reader.client.close()


def test_mutable_ids_double_what_moves() -> None:
    """R5: without immutable ids a message that moved is read again."""
    for careless, times in (("", 1), ("mutable ids", 2)):
        with GraphServer() as graph:
            box = graph.new_mailbox("ann@outlook.example")
            reader = Reader(PlainClient(graph), careless)
            message = box.deliver(b"Subject: hi\r\n\r\nbody\r\n")
            reader.round()
            box.move(message, box.folder("archive"))
            reader.round()
            assert [message.raw] * times == reader.read
            reader.client.close()
