"""Query options, read strictly: what Graph documents is understood, everything else is a 400.

Graph itself is more forgiving in places; strictness is deliberate [INVENTED], so that a client which passes
here asks for nothing that depends on forgiveness.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

from tests.servers.graph.errors import GraphError, bad_request, unknown_property

Value = str | bool | dt.datetime | None
SYSTEM = frozenset(
    ["select", "filter", "orderby", "top", "skip", "count", "expand", "search", "skiptoken", "deltatoken"]
)
COMPARISON = re.compile(r"\s*(\w+)\s+(eq|ne|ge|gt|le|lt)\s+('(?:[^']|'')*'|[^\s']+)\s*")
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt,
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """`receivedDateTime ge 2026-06-05T10:30:45Z`."""

    property: str
    operator: str
    value: Value

    def holds(self, actual: Value) -> bool:
        """Say whether a property with this value passes."""
        if actual is None or self.value is None:
            return (actual is self.value) == (self.operator == "eq")
        if type(actual) is not type(self.value):
            raise bad_request(f"Incompatible types for '{self.operator}' on '{self.property}'.")
        return OPERATORS[self.operator](actual, self.value)


@dataclass(frozen=True)
class Query:
    """The options of a request; `select` is None where everything is asked for."""

    select: tuple[str, ...] | None = None
    filter: tuple[Comparison, ...] = ()
    orderby: tuple[tuple[str, bool], ...] = ()
    """Properties, and whether each descends."""
    top: int | None = None
    skip: int = 0
    count: bool = False
    expand: str = ""
    token: str | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    """Every option that was given, by name."""


def parse_query(text: str, *, allowed: Collection[str], properties: Collection[str]) -> Query:
    """Return the options; raise a 400 for those not *allowed*, and for names that are no *properties*."""
    given: dict[str, str] = {}
    custom: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        # Graph takes system options without the dollar sign as well [DOC query-parameters].
        bare = name.removeprefix("$").lower()
        if bare not in SYSTEM and not name.startswith("$"):
            custom[name.lower()] = value
        elif bare in given:
            raise bad_request(f"Query option '{name}' was specified more than once.")
        elif bare not in allowed:
            raise bad_request(f"The query option '{name}' is not supported here.", "ErrorInvalidUrlQuery")
        else:
            given[bare] = value
    return Query(
        select=_select(given["select"], properties) if "select" in given else None,
        filter=_filter(given.get("filter", ""), properties),
        orderby=_orderby(given.get("orderby", ""), properties),
        top=_number(given["top"], "$top", 1, 1000) if "top" in given else None,
        skip=_number(given.get("skip", "0"), "$skip", 0, 2**31),
        count=given.get("count", "false").lower() == "true",
        expand=given.get("expand", ""),
        token=given.get("skiptoken", given.get("deltatoken")),
        custom=custom,
        options=frozenset(given),
    )


def refuse_inefficient(query: Query) -> None:
    """Raise the 400 for an order the filter does not begin with [DOC user-list-messages].

    With both options, what is ordered by must be filtered by, first, and in the same order.
    """
    ordered = [name for name, _ in query.orderby]
    filtered = list(dict.fromkeys(comparison.property for comparison in query.filter))
    if query.filter and filtered[: len(ordered)] != ordered:
        raise GraphError(
            400, "InefficientFilter", "The restriction or sort order is too complex for this operation."
        )


def replaced(text: str, name: str, value: str) -> str:
    """Return the query with one option set anew: `replaced("$top=2", "$skip", "2") == "$top=2&$skip=2"`."""
    kept = [
        (key, old)
        for key, old in parse_qsl(text, keep_blank_values=True)
        if key.lstrip("$") != name.lstrip("$")
    ]
    return "&".join(f"{key}={quote(old, safe='')}" for key, old in [*kept, (name, value)])


def _select(text: str, properties: Collection[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    return tuple(_known(name, properties) for name in names)


def _known(name: str, properties: Collection[str]) -> str:
    """Return the property as it is spelled; names are found without case [DOC query-parameters]."""
    spelled = {each.lower(): each for each in properties}
    if name.lower() not in spelled:
        raise unknown_property(name)
    return spelled[name.lower()]


def _orderby(text: str, properties: Collection[str]) -> tuple[tuple[str, bool], ...]:
    found = []
    for part in filter(None, text.split(",")):
        name, _, direction = part.strip().partition(" ")
        if direction.strip().lower() not in {"", "asc", "desc"}:
            raise bad_request(f"Syntax error in $orderby: '{part}'.")
        found.append((_known(name, properties), direction.strip().lower() == "desc"))
    return tuple(found)


def _filter(text: str, properties: Collection[str]) -> tuple[Comparison, ...]:
    """Return the comparisons of `a ge 1 and b eq 'x'`; `or`, brackets and functions are not understood."""
    found, at = [], 0
    while at < len(text):
        matched = COMPARISON.match(text, at)
        if matched is None:
            raise bad_request(f"Invalid filter clause: '{text}'.")
        found.append(Comparison(_known(matched[1], properties), matched[2], _literal(matched[3])))
        at = matched.end()
        if at < len(text):
            if not text[at:].startswith("and ") or not text[at + 4 :].strip():
                raise bad_request(f"Invalid filter clause: '{text}'.")
            at += 4
    return tuple(found)


def _literal(text: str) -> Value:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text in {"true", "false", "null"}:
        return {"true": True, "false": False}.get(text)
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise bad_request(f"Unrecognized literal '{text}' in $filter.") from None
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


def _number(text: str, name: str, low: int, high: int) -> int:
    if not text.isdigit() or not low <= int(text) <= high:
        raise bad_request(f"Invalid value '{text}' for {name}: expected {low} to {high}.")
    return int(text)
