"""Checks values against JSON Schemas, fast, and says what is wrong without showing what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs

from target_hashfs.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

_JSON_NAMES = {
    bool: "boolean", dict: "object", float: "number", int: "integer", list: "array", str: "string",
    type(None): "null",
}  # fmt: skip


class Validator:
    """A JSON Schema, compiled."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile *schema*.

        Raises:
            SchemaError: it is no JSON Schema, or refers to another document.
        """
        try:
            self._validator = jsonschema_rs.validator_for(schema, validate_formats=False, retriever=_refuse)
        except ValueError as error:
            where = "/".join(str(step) for step in getattr(error, "instance_path", None) or ())
            raise SchemaError(
                "expected a JSON Schema that needs no other document, found an error"
                + (f" at {where}" if where else "")
            ) from None

    def problems(self, value: object) -> Iterator[str]:
        """Yield what is wrong with *value*: place, what was expected and what type was found."""
        try:
            if self._validator.is_valid(value):
                return
            for error in self._validator.iter_errors(value):
                yield _describe(error, value)
        except (TypeError, ValueError, RecursionError) as error:
            yield f"expected JSON values of sane depth, found something else ({type(error).__name__})"


def _describe(error: jsonschema_rs.ValidationError, instance: object) -> str:
    value: Any = instance
    for step in error.instance_path:
        value = value[step]
    place = "/".join(str(step) for step in error.instance_path)
    found = _JSON_NAMES.get(type(value), type(value).__name__)
    kind = error.kind
    match kind:
        case jsonschema_rs.ValidationErrorKind.Type():
            text = f"expected {' or '.join(kind.types)}, found {found}"
        case jsonschema_rs.ValidationErrorKind.Required():
            text = f"{kind.property!r} is missing"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties():
            text = f"unknown: {', '.join(map(repr, kind.unexpected))}"
        case jsonschema_rs.ValidationErrorKind.Enum():
            text = f"expected one of {kind.options}, found another {found}"
        case jsonschema_rs.ValidationErrorKind.Pattern():
            text = f"expected text that fits {kind.pattern}, found other text"
        case jsonschema_rs.ValidationErrorKind.Minimum():
            text = f"expected at least {kind.limit}, found less"
        case _:
            text = f"expected what the schema says ({kind.name}), found another {found}"
    return f"{place}: {text}" if place else text


def _refuse(_uri: str) -> None:
    # A schema comes from the tap, and a tap must not make the target fetch anything.
    raise ValueError("references to other documents are not followed")
