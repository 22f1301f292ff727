"""Single values as Meltano treats them: flattened keys, `$VARIABLES`, text turned into its setting's kind."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_VARIABLE = re.compile(r"(?P<escape>\\)?\$(?:\{(?P<curly>\w+)\}|(?P<plain>[A-Z][A-Z0-9_]*))")
_TRUE = frozenset({"true", "1", "yes", "on"})


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested keys joined by dots: `{"limits": {"depth": 5}}` becomes `{"limits.depth": 5}`."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        path = f"{above}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return found


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `flat` took apart as it was; a shorter key stands before those below it."""
    config: dict[str, Any] = {}
    for path, value in values.items():
        *above, key = path.split(".")
        node = config
        for step in above:
            child = node.get(step)
            node[step] = dict(child) if isinstance(child, dict) else {}
            node = node[step]
        node[key] = value
    return config


def expanded(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401  # YAML in, YAML out
    r"""Return *value* with `$NAME` and `${NAME}` filled in at every depth, what is not set by nothing.

    A text that is nothing but unset variables becomes None. `\$NAME` stands for itself.
    """
    found = _within(value, variables)
    return None if value and not found else found


def _within(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401  # likewise
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _filled(match, variables), value)
    if isinstance(value, dict):
        return {key: _within(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_within(each, variables) for each in value]
    return value


def _filled(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match["escape"]:
        return match[0][1:]
    return variables.get(match["curly"] or match["plain"], "")


def cast(definition: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401  # likewise
    """Return a text as what its setting's kind says; anything else as it is.

    Raises:
        ConfigError: it cannot be read as that; the value itself is not shown.
    """
    if not isinstance(value, str):
        return value
    kind = str(definition.get("kind"))
    try:
        return _READERS[kind](value) if kind in _READERS else value
    except ValueError:
        raise ConfigError(f"setting {definition['name']}: what its variable holds is no {kind}") from None


def _literal(text: str, expected: type) -> Any:  # noqa: ANN401  # JSON, or the Python that Meltano also takes
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = ast.literal_eval(text)
        except (TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError from error
    if not isinstance(found, expected):
        raise ValueError  # noqa: TRY004  # as any other text that does not fit
    return found


_READERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: text.lower() in _TRUE,
    "integer": int,
    "decimal": float,
    "array": lambda text: _literal(text, list),
    "object": lambda text: _literal(text, dict),
}
"""By the kind of a setting."""
