"""$batch: up to twenty requests in one, answered in any order (E7) [DOC json-batching]."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from email.message import Message as Headers
from typing import Any
from urllib.parse import urlsplit

from tests.servers.graph.errors import bad_request
from tests.servers.graph.request import Request, Response, json_response

MAX_REQUESTS = 20


def answer(request: Request, ask: Callable[[Request], Response], shuffled: random.Random) -> Response:
    """Return one 200 with a status for each; raise a 400 when the whole is malformed."""
    steps = _steps(request.body)
    answers: dict[str, dict[str, Any]] = {}
    for id_, step in steps.items():
        failed = any(
            answers.get(each, {"status": 424})["status"] >= 400 for each in step.get("dependsOn", ())
        )
        answers[id_] = {"id": id_, **(_dependency_failed() if failed else _one(request, step, ask))}
    found = list(answers.values())
    shuffled.shuffle(found)
    return json_response({"responses": found})


def _steps(body: bytes) -> dict[str, dict[str, Any]]:
    try:
        asked = json.loads(body)["requests"]
        steps = {str(each["id"]): each for each in asked}
        malformed = not all(
            isinstance(each["method"], str) and isinstance(each["url"], str) for each in asked
        )
    except (ValueError, KeyError, TypeError):
        raise bad_request("Invalid batch payload format.") from None
    if malformed or len(steps) != len(asked) or not 1 <= len(steps) <= MAX_REQUESTS:
        raise bad_request(f"A batch has 1 to {MAX_REQUESTS} requests, each with an id of its own.")
    if any("$batch" in each["url"].lower() for each in asked):
        raise bad_request("Batch requests cannot be nested.")
    return steps


def _one(outer: Request, step: dict[str, Any], ask: Callable[[Request], Response]) -> dict[str, object]:
    url = urlsplit(step["url"])
    headers = Headers()
    headers["Authorization"] = outer.headers.get("Authorization", "")
    for name, value in step.get("headers", {}).items():
        headers[name] = str(value)
    body = json.dumps(step["body"]).encode() if "body" in step else b""
    response = ask(Request(step["method"].upper(), f"/v1.0/{url.path.lstrip('/')}", url.query, headers, body))
    said = {"Content-Type": response.content_type, **response.headers}
    is_json = response.content_type.startswith("application/json") and response.body
    shown = json.loads(response.body) if is_json else base64.b64encode(response.body).decode()
    return {"status": response.status, "headers": said, "body": shown}


def _dependency_failed() -> dict[str, object]:
    error = {"code": "FailedDependency", "message": "A request that this one depends on failed."}
    return {"status": 424, "headers": {}, "body": {"error": error}}
