"""A request as the endpoints see it, and the answer they give."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message as Headers
from functools import cached_property
from urllib.parse import unquote

JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
"""The content type of every JSON answer (H2)."""
KEYWORDS = frozenset(
    [
        "$batch",
        "$value",
        "attachments",
        "childfolders",
        "delta",
        "mailfolders",
        "me",
        "messages",
        "translateexchangeids",
        "users",
    ]
)
"""Segments that are no ids; they are read without case, since links spell `mailfolders` as they like (1.2)."""
PREFERENCE = re.compile(r'([^\s,;="]+)\s*(?:=\s*(?:"([^"]*)"|([^\s,;"]*)))?')


@dataclass(frozen=True)
class Request:
    """What a client asks: `path` and `query` as they came, still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    received: float = field(default_factory=time.monotonic)
    """When all of it was there; of time.monotonic()."""

    @cached_property
    def segments(self) -> list[str]:
        """The path behind the version, decoded, with `messages('x')` taken apart (S3)."""
        found: list[str] = []
        for raw in self.path.strip("/").split("/")[1:]:
            name, _, key = unquote(raw).partition("('")
            parts = (
                [name.removesuffix("()"), key[:-2]]
                if key.endswith("')")
                else [unquote(raw).removesuffix("()")]
            )
            found += [part.lower() if part.lower() in KEYWORDS else part for part in parts]
        return found

    @cached_property
    def prefer(self) -> dict[str, str]:
        """The preferences by name in lower case: joined by commas, repeated, quoted or not (H1) [DOC RFC 7240]."""
        found: dict[str, str] = {}
        for name, quoted, plain in PREFERENCE.findall(",".join(self.headers.get_all("Prefer", []))):
            found.setdefault(name.lower(), quoted or plain)
        return found

    @property
    def immutable(self) -> bool:
        """Whether this request, and no other, asks for immutable ids (H1) [DOC outlook-immutable-id]."""
        return self.prefer.get("idtype", "").lower() == "immutableid"

    @property
    def page_size(self) -> int | None:
        """The page size that was preferred, from 1 to 1000."""
        asked = self.prefer.get("odata.maxpagesize", "")
        return min(int(asked), 1000) if asked.isdigit() and int(asked) else None

    @property
    def bearer(self) -> str:
        """The token, or nothing."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def target(self) -> str:
        """Path and query, as the request line had them."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def applied(self) -> dict[str, str]:
        """Return the header that says which preferences were honoured (H1)."""
        known = {
            "idtype": ("IdType", self.immutable),
            "odata.maxpagesize": ("odata.maxpagesize", self.page_size is not None),
            "outlook.body-content-type": ("outlook.body-content-type", True),
            "outlook.allow-unsafe-html": ("outlook.allow-unsafe-html", True),
        }
        said = []
        for name, value in self.prefer.items():
            spelled, honoured = known.get(name, ("", False))
            if honoured:
                said.append(f'{spelled}="{value}"' if value else spelled)
        return {"Preference-Applied": ", ".join(said)} if said else {}


@dataclass
class Response:
    """What goes back; a chunked one carries no length (E5)."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False


def json_response(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return *value* as Graph would write it."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, headers=dict(headers or {}))
