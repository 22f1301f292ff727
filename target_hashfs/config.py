"""The configuration, parsed once at the edge; below here nobody sees a dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from target_hashfs.errors import ConfigError
from target_hashfs.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What `schemas/target-config.json` describes."""

    path: Path
    journal: str
    commit_messages: int
    commit_bytes: int
    commit_seconds: float
    durability: str
    min_free_bytes: int
    allow_new_archive: bool
    archive_id: str | None
    lease: bool
    dry_run: bool

    @classmethod
    def parse(cls, values: Mapping[str, Any], schema: Mapping[str, Any]) -> Config:
        """Return the configuration in *values*, with the defaults of *schema*.

        Raises:
            ConfigError: a key is unknown or missing, or a value is of the wrong type; all of them are named.
        """
        # Meltano hands over null for a setting that is not set.
        given = {key: value for key, value in values.items() if value is not None}
        problems = list(Validator(dict(schema)).problems(given))
        if problems:
            raise ConfigError("configuration of target-hashfs: " + "; ".join(problems))
        settings = {
            key: given.get(key, property_.get("default")) for key, property_ in schema["properties"].items()
        }
        # The SDK reads fractions as Decimal, and to JSON Schema 500.0 is an integer.
        numbers = {key: int(settings[key]) for key in ("commit_messages", "commit_bytes", "min_free_bytes")}
        seconds = float(settings["commit_seconds"])
        try:
            path = Path(given["path"]).expanduser()
        except RuntimeError:
            raise ConfigError(
                "configuration of target-hashfs: path: expected a user with a home directory after ~, found "
                "another name; correct path"
            ) from None
        return cls(**settings | numbers | {"commit_seconds": seconds, "path": path})


def read_environment(properties: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the settings that variables of the environment give: numbers and objects as JSON.

    The SDK knows no number with a fraction, and what is none at all it shows in a traceback.

    Raises:
        ConfigError: a variable holds no JSON where it should; the text names it, never its value.
    """
    # Not above: the configuration is read without the SDK too, and this would load all of it (sdk.py).
    from singer_sdk.configuration._dict_config import parse_environment_config  # noqa: PLC0415

    plain = {"type": "string"}
    is_json = [key for key, each in properties.items() if not {"string", "boolean"} & {*_types(each)}]
    found = parse_environment_config({"properties": {**properties, **dict.fromkeys(is_json, plain)}}, prefix)
    for key in found.keys() & {*is_json}:
        try:
            found[key] = orjson.loads(found[key])
        except ValueError:
            expected = " or ".join(_types(properties[key]))
            raise ConfigError(
                f"configuration of target-hashfs: {key}: expected {expected} in {prefix}{key.upper()}, found "
                "other text; correct the variable or unset it"
            ) from None
    return found


def _types(property_: Mapping[str, Any]) -> list[str]:
    found = property_["type"]
    return [found] if isinstance(found, str) else list(found)
