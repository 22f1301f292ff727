"""The published schemas are schemas, and say what each property means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
SCHEMAS = sorted((ROOT / "schemas").glob("*.json"))


def properties(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property that a schema declares, at any depth."""
    if isinstance(schema, list):
        for number, each in enumerate(schema):
            yield from properties(each, f"{place}[{number}]")
    if isinstance(schema, dict):
        declared = schema.get("properties")
        if isinstance(declared, dict):
            for name, sub in declared.items():
                yield f"{place}.{name}", sub
                yield from properties(sub, f"{place}.{name}")
        for keyword in ("items", "additionalProperties", "anyOf", "oneOf", "allOf", "then", "else", "$defs"):
            inner = schema.get(keyword)
            yield from properties(list(inner.values()) if keyword == "$defs" and inner else inner, place)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_is_a_described_json_schema(path: Path) -> None:
    """Valid by its own metaschema; title, description, and a description at every property."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["title"]
    assert schema["description"]
    assert [place for place, sub in properties(schema) if not sub.get("description")] == []


def test_no_default_breaks_its_own_schema() -> None:
    """A default is a value that the schema accepts."""
    for path in SCHEMAS:
        for place, sub in properties(json.loads(path.read_text(encoding="utf-8"))):
            if "default" in sub:
                assert jsonschema.Draft202012Validator(sub).is_valid(sub["default"]), f"{path.name}{place}"


def test_secrets_are_marked() -> None:
    """What must not be shown says so, in the words of Singer and of JSON Schema."""
    schema = json.loads((ROOT / "schemas" / "tap-config.json").read_text(encoding="utf-8"))
    marked = {place.rpartition(".")[2] for place, sub in properties(schema) if sub.get("secret")}
    assert marked == {place.rpartition(".")[2] for place, sub in properties(schema) if sub.get("writeOnly")}
    assert "password" in marked
