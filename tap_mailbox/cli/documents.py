"""JSON and YAML files of the operator, read with errors that name the place and never quote the content."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from tap_mailbox.bookmarks import unwrapped
from tap_mailbox.errors import ConfigError, StateError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of plain words, as Meltano has it: `yes` and `2026-01-01` are texts."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML (or JSON) file holds.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    try:
        # S506: the loader is a SafeLoader.
        document = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # Not `from error`, and no more than the line: the text around it may be a password.
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(f"{path} is not YAML{f' (line {mark.line + 1})' if mark else ''}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping of keys, found {type(document).__name__}")
    return document


def read_state(stream: IO[str]) -> dict[str, Any]:
    """Return the object of a state file; what `meltano state get` wraps into `singer_state` is unwrapped.

    Raises:
        StateError: it is no JSON object.
    """
    name = getattr(stream, "name", "the state")
    try:
        document = json.load(stream)
    except ValueError as error:
        raise StateError(f"{name} is not JSON ({error})") from None
    state = unwrapped(document) if isinstance(document, dict) else document
    if not isinstance(state, dict):
        raise StateError(f"{name} must hold an object, found {type(state).__name__}")
    return state
