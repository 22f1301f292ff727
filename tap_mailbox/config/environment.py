"""Settings from TAP_MAILBOX_ variables (`--config=ENV`), read as the schema says, errors by their names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import ConfigError
from tap_mailbox.schema import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "TAP_MAILBOX_"
_TRUE = ("true", "1", "yes", "on")  # what the Singer SDK takes for it
_FALSE = ("false", "0", "no", "off")


def environment_config(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of *schema* that the environment (or a .env file that the Singer SDK finds) gives.

    An empty variable is as good as none.

    Raises:
        ConfigError: naming the variable and what was expected in it, never its value.
    """
    # Half a second to import, and few have their configuration there.
    from singer_sdk.configuration._dict_config import parse_environment_config  # noqa: PLC0415

    properties = schema["properties"]
    # All as text: of its own accord the SDK makes a number of no fraction, and of no null.
    texts = parse_environment_config({"properties": {key: {"type": "string"} for key in properties}}, PREFIX)
    return {
        key: _value(PREFIX + key.upper(), text.strip(), properties[key])
        for key, text in texts.items()
        if text.strip()
    }


def _value(variable: str, text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any JSON
    """Return what a variable says: text as it is, yes or no, names as `a,b`, and all else in JSON."""
    types = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    if text == "null" and "null" in types:
        return None
    if "string" in types:
        return text
    if "boolean" in types and text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    expected = f"{variable} must be JSON of type {' or '.join(sorted(types))}"
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        if schema.get("items") == {"type": "string"}:
            return [name.strip() for name in text.split(",") if name.strip()]
        raise ConfigError(f"{expected}, found something that is no JSON") from None
    found = type_name(value)
    if found not in types and not (found == "integer" and "number" in types):
        raise ConfigError(f"{expected}, found {found}")
    return value


def _no_number(word: str) -> float:
    """Refuse NaN and Infinity, which are Python's and no JSON."""
    raise ValueError(word)
