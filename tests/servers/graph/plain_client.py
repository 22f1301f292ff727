"""A client without any wits, to test the simulator itself."""

from __future__ import annotations

from typing import Any

import requests

from tests.servers.graph.server import GraphServer

IMMUTABLE = 'IdType="ImmutableId"'


class PlainClient:
    """Asks what it is told, as one user or, with no mailbox, as an application."""

    def __init__(self, graph: GraphServer, mailbox: str | None = "ann@outlook.example") -> None:
        self.graph = graph
        self.token = graph.issue_token(mailbox)
        self.session = requests.Session()
        self.session.trust_env, self.session.verify = False, str(graph.ca_file)

    def request(self, method: str, path: str, prefer: str = "", **more: Any) -> requests.Response:
        """Ask once: a path below the version, or a whole link."""
        headers = {"Authorization": f"Bearer {self.token}", **({"Prefer": prefer} if prefer else {})}
        headers |= more.pop("headers", {})
        url = path if path.startswith("http") else self.graph.url + path
        return self.session.request(method, url, headers=headers, allow_redirects=False, timeout=10, **more)

    def get(self, path: str, prefer: str = "", **more: Any) -> requests.Response:
        """GET."""
        return self.request("GET", path, prefer, **more)

    def json(self, path: str, prefer: str = "") -> dict[str, Any]:
        """Return what a good answer says."""
        answer = self.get(path, prefer)
        assert 200 == answer.status_code, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def error(self, path: str, prefer: str = "") -> tuple[int, str]:
        """Return the status and the code of a refusal."""
        answer = self.get(path, prefer)
        return answer.status_code, answer.json()["error"]["code"]

    def pages(self, path: str, prefer: str = "", *, most: int = 100) -> list[dict[str, Any]]:
        """Return the pages from there to the last."""
        pages = [self.json(path, prefer)]
        while "@odata.nextLink" in pages[-1] and len(pages) < most:
            pages.append(self.json(pages[-1]["@odata.nextLink"], prefer))
        return pages

    def walk(self, path: str, prefer: str = "") -> tuple[list[dict[str, Any]], str]:
        """Return the items of all pages, and the deltaLink if there is one."""
        pages = self.pages(path, prefer)
        return [item for page in pages for item in page["value"]], pages[-1].get("@odata.deltaLink", "")

    def close(self) -> None:
        """Close the connections."""
        self.session.close()
