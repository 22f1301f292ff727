"""The published JSON Schemas, and what an instance violates in them, said without quoting a value.

In a wheel the schemas lie inside the package; in a checkout (and an editable install) at its top.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema_rs import ValidationError

_PACKAGE = Path(__file__).resolve().parent
_TYPE_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}

_LIMITS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}


def load_schema(name: str) -> dict[str, Any]:
    """Return the schema `schemas/<name>.json`.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    packaged = _PACKAGE / "schemas" / f"{name}.json"
    path = packaged if packaged.exists() else _PACKAGE.parent / "schemas" / f"{name}.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def violations(schema: dict[str, Any], instance: object) -> Iterator[tuple[list[str | int], str]]:
    """Yield the place and the nature of everything in *instance* that the schema does not allow.

    The texts name keys, types and allowed values, never the value found: it may be a secret that stands
    under the wrong key (the SDK's own messages quote it, plugin_base.py:153).
    """
    # Only a run that has something to check pays for this import.
    import jsonschema_rs  # noqa: PLC0415

    for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(instance):
        yield from _faults(error)


def _faults(error: ValidationError) -> Iterator[tuple[list[str | int], str]]:
    path, facts = list(error.instance_path), error.kind.as_dict()
    match error.kind.name:
        case "additionalProperties":
            for key in facts["unexpected"]:
                yield [*path, key], "is no known key"
        case "required":
            yield [*path, facts["property"]], "is missing"
        case "type":
            expected = " or ".join(sorted(facts["types"]))
            yield path, f"must be of type {expected}, found {type_name(error.instance)}"
        case "enum":
            yield path, f"must be one of {', '.join(json.dumps(each) for each in facts['options'])}"
        case "const":
            yield path, f"must be {json.dumps(facts['expected_value'])}"
        case "pattern":
            yield path, f"must match {facts['pattern']}"
        case "minimum" | "maximum" | "exclusiveMinimum" as limit:
            yield path, f"must be {_LIMITS[limit]} {facts['limit']}"
        case "minItems":
            yield path, f"must list at least {facts['limit']}"
        case "anyOf":
            yield from _none_of(path, error, facts["context"])
        case other:
            yield path, f"does not satisfy {other!r} of schemas/tap-config.json"


def _none_of(
    path: list[str | int], error: ValidationError, alternatives: list[list[ValidationError]]
) -> Iterator[tuple[list[str | int], str]]:
    """Yield what is wrong where there are several shapes: within the one that was meant, else name all."""
    for errors in alternatives:
        if all(len(each.instance_path) > len(path) for each in errors):
            for each in errors:
                yield from _faults(each)
            return
    texts = [text for errors in alternatives for each in errors for _, text in _faults(each)]
    allowed = " or ".join(text.removeprefix("must be ").partition(", found ")[0] for text in texts)
    yield path, f"must be {allowed}, found {type_name(error.instance)}"


def type_name(value: object) -> str:
    """Return what JSON Schema calls the type of a value."""
    return _TYPE_NAMES.get(type(value), "null")


def with_defaults(schema: dict[str, Any], value: Any) -> Any:  # noqa: ANN401  # JSON in, JSON out
    """Return *value* with every absent key filled from the schema's `default`s, at every depth."""
    if isinstance(value, dict) and "properties" in schema:
        filled = dict(value)
        for key, sub in schema["properties"].items():
            if key not in filled and "default" in sub:
                filled[key] = sub["default"]
            if key in filled:
                filled[key] = with_defaults(sub, filled[key])
        return filled
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(schema["items"], each) for each in value]
    return value
