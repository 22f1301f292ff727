"""The configuration, parsed once at the edge; below here nobody sees a dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        path = Path(given["path"]).expanduser()
        return cls(**settings | numbers | {"commit_seconds": seconds, "path": path})
