"""JSON documents as bytes: the order of their keys, and the text that `json.dumps` makes of them; pure."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from target_hashfs.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable

_Object = dict[str, Any]


class Order:
    """The order of keys, nested, that a JSON Schema names; keys it does not know follow, sorted."""

    def __init__(self, schema: _Object) -> None:
        self._known: _Object = schema.get("properties") or {}
        self._nested = {name: Order(each.get("items") or each) for name, each in self._known.items()}
        self._arranged: dict[tuple[str, ...], list[str]] = {}
        """Names as found, and as they should be: a mailbox has few combinations."""
        self._ordered: dict[tuple[str, ...], bool] = {}

    def encode(self, document: _Object) -> bytes:
        """Return *document*, arranged and encoded.

        Raises:
            RecordError: as `encode` does.
        """
        if self.is_plain(document):
            # What comes in order, as from our own tap and out of an archive, needs no copy.
            with suppress(TypeError):
                return orjson.dumps(document, option=_INDENTED.option) + b"\n"
        return encode(self.arrange(document))

    def arrange(self, document: _Object) -> _Object:
        """Return *document* with the keys of every object in order."""
        found = tuple(document)
        names = self._arranged.get(found)
        if names is None:
            names = [key for key in self._known if key in document]
            names += sorted(document.keys() - self._known.keys())
            if len(self._arranged) < _REMEMBERED:
                self._arranged[found] = names
        return {
            key: self._nested.get(key, _UNKNOWN).arrange_value(value)
            if isinstance(value := document[key], _CONTAINERS)
            else value
            for key in names
        }

    def is_plain(self, document: _Object) -> bool:
        """Whether `arrange` would change nothing, and there is no float in *document*."""
        return self._has_order(tuple(document)) and all(
            self._nested.get(key, _UNKNOWN).is_plain_value(value)
            for key, value in document.items()
            if type(value) not in _SIMPLE
        )

    def is_plain_value(self, value: object) -> bool:
        """Whether `is_plain` holds for *value*, or for all values in it."""
        if isinstance(value, dict):
            return self.is_plain(value)
        if not isinstance(value, list):
            return type(value) in _SIMPLE
        kinds = set(map(type, value))
        if kinds == _OBJECTS and _SIMPLE.issuperset(map(type, chain.from_iterable(map(dict.values, value)))):
            # Header fields, addresses: many, flat and all alike. No step of Python's for each of them.
            return all(map(self._has_order, set(map(tuple, value))))
        return kinds <= _SIMPLE or all(map(self.is_plain_value, value))

    def _has_order(self, names: tuple[str, ...]) -> bool:
        known = self._ordered.get(names)
        if known is None:
            known = tuple(self.arrange(dict.fromkeys(names))) == names
            if len(self._ordered) < _REMEMBERED:
                self._ordered[names] = known
        return known

    def arrange_value(self, value: object) -> object:
        """Return *value*; the objects in it, if there are any, are arranged."""
        if isinstance(value, dict):
            return self.arrange(value)
        if isinstance(value, list):
            return [self.arrange_value(item) if isinstance(item, _CONTAINERS) else item for item in value]
        return value


_CONTAINERS = (dict, list)
_SIMPLE = frozenset({str, int, bool, type(None)})
_OBJECTS = {dict}
_REMEMBERED = 1000
_UNKNOWN = Order({})


def encode(document: _Object) -> bytes:
    """Return *document* exactly as `json.dumps(document, ensure_ascii=False, indent=2)`, and a newline.

    Raises:
        RecordError: a value is not JSON (not a number, an object of Python's own).
    """
    # The sum is a copy of the right size: orjson's own buffer is up to eight times as large.
    return _dumps(document, _INDENTED) + b"\n"


def compact(value: object) -> bytes:
    """Return *value* exactly as `json.dumps(value, ensure_ascii=False, separators=(",", ":"))`.

    Raises:
        RecordError: a value is not JSON.
    """
    return _dumps(value, _COMPACT)


def encode_any(value: object) -> bytes:
    """Return *value* as `encode` does, whatever it holds.

    Records are clean by then; a state of a foreign tap may hold lone surrogates, which become "?", or what
    only Python takes for JSON.
    """
    return _dumps_any(value, _INDENTED) + b"\n"


def compact_any(value: object) -> bytes:
    """Return *value* as `compact` does, whatever it holds; see `encode_any`."""
    return _dumps_any(value, _COMPACT)


@dataclass(frozen=True, slots=True)
class _Style:
    indent: int | None
    separators: tuple[str, str]
    option: int
    """The same for orjson."""


_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_COMPACT = _Style(None, (",", ":"), _STRICT)
_INDENTED = _Style(2, (",", ": "), _STRICT | orjson.OPT_INDENT_2)


def _dumps(value: object, style: _Style) -> bytes:
    if not _has_float((value,)):
        # orjson agrees with json byte for byte but for the notation of floats (a property test says so).
        # It raises for a number beyond 64 bits, and for what json refuses as well.
        with suppress(TypeError):
            return orjson.dumps(value, option=style.option)
    try:
        return json.dumps(
            value, ensure_ascii=False, indent=style.indent, separators=style.separators, allow_nan=False
        ).encode()
    except (TypeError, ValueError):
        raise RecordError("expected JSON values only, found something that JSON cannot hold") from None


def _dumps_any(value: object, style: _Style) -> bytes:
    try:
        return _dumps(value, style)
    except RecordError:
        text = json.dumps(value, ensure_ascii=False, indent=style.indent, separators=style.separators)
        return text.encode("utf-8", "replace")


def _has_float(values: Iterable[Any]) -> bool:
    for value in values:
        if isinstance(value, float):
            return True
        if isinstance(value, dict):
            if _has_float(value.values()):
                return True
        elif isinstance(value, list) and _has_float(value):
            return True
    return False
