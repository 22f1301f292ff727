"""What Meltano would hand to the tap: from meltano.yml, its environments, `env:` blocks, .env and variables.

Meltano's order, the first that has a value wins: variables (TAP_MAILBOX_ACCOUNTS), .env, the plugin in the
active environment, the plugin, the plugins it inherits from, the defaults of its settings. Values that
`meltano config set --store=db` keeps in Meltano's own database are out of sight here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from tap_mailbox.cli.documents import read_yaml
from tap_mailbox.cli.meltano_values import cast, expanded, flat, nested
from tap_mailbox.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE = "meltano.yml"


def find_project() -> Path | None:
    """Return the root of the Meltano project we stand in, as Meltano finds it; None if there is none."""
    if root := os.environ.get("MELTANO_PROJECT_ROOT"):
        return Path(root)
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if (each / FILE).is_file()), None)


@dataclass(frozen=True, slots=True)
class _Plugin:
    """One extractor of the project, or one that it inherits from."""

    name: str
    entry: Mapping[str, Any]
    environment: Mapping[str, Any]
    """Its entry in the active environment; empty if there is none."""
    env: Mapping[str, str]
    """Variables with what the `env:` blocks say; they win over the shell's, as in Meltano."""

    def definitions(self) -> dict[str, Mapping[str, Any]]:
        """Return the settings it declares, and one for each key of its configuration beside them."""
        found = {each["name"]: each for each in self.entry.get("settings") or []}
        for config in (self.entry.get("config"), self.environment.get("config")):
            for key, value in flat(config or {}).items():
                found.setdefault(key, {"name": key, "kind": _kind_of(value)})
        return found

    def variables(self, definition: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names of the variables that may carry a setting."""
        namespace = self.entry.get("namespace") or self.name
        for name in (definition["name"], *definition.get("aliases", ())):
            for prefix in (self.name, namespace):
                yield re.sub(r"[^A-Z0-9]", "_", f"{prefix}_{name}".upper())

    def configured(self, key: str) -> Any:  # noqa: ANN401  # whatever YAML holds
        """Return what meltano.yml says of a setting, before variables are filled in."""
        for config in (self.environment.get("config"), self.entry.get("config")):
            value = flat(config or {}).get(key)
            if value is not None:
                return value
        return None


class Project:
    """A Meltano project, read.

    Args:
        root: The directory with meltano.yml.
        environment: None: MELTANO_ENVIRONMENT, else the project's default_environment.

    Raises:
        ConfigError: a file cannot be read, or there is no such environment.
    """

    def __init__(self, root: Path, *, environment: str | None) -> None:
        self.root = root
        self._document = _merged(root)
        self._dotenv = {
            key: value for key, value in dotenv_values(root / ".env").items() if value is not None
        }
        name = (
            environment or os.environ.get("MELTANO_ENVIRONMENT") or self._document.get("default_environment")
        )
        self.environment: str | None = None if not name or name.lower() == "null" else name
        self._active: Mapping[str, Any] = {}
        if self.environment is not None:
            self._active = _named(
                self._document.get("environments"), self.environment, f"{root / FILE}: no environment"
            )

    def config(self, extractor: str) -> dict[str, Any]:
        """Return the configuration of an extractor.

        Raises:
            ConfigError: there is no such plugin, it inherits from itself, or a value is not of its kind.
        """
        chain = self._chain(extractor)
        definitions: dict[str, Mapping[str, Any]] = {}
        for plugin in reversed(chain):
            definitions |= plugin.definitions()
        variables = {**self._dotenv, **chain[0].env}
        # Keys with a dot are parts of others ("limits.depth") and come after these.
        values = {}
        for name in sorted(definitions, key=lambda each: each.count(".")):
            value, expandable = self._value(chain, definitions[name])
            value = cast(definitions[name], expanded(value, variables) if expandable else value)
            if value is not None:
                values[name] = value
        return nested(values)

    def variables(self, extractor: str) -> dict[str, str]:
        """Return what Meltano adds to the environment that an extractor runs in: .env and `env:` blocks."""
        blocks = self._chain(extractor)[0].env
        own = {key: value for key, value in blocks.items() if value != os.environ.get(key)}
        return {key: value for key, value in (self._dotenv | own).items() if not key.startswith("MELTANO_")}

    def _value(self, chain: list[_Plugin], definition: Mapping[str, Any]) -> tuple[Any, bool]:
        """Return a setting's value, and whether variables in it are to be filled in."""
        for plugin in chain:
            for source in (plugin.env, self._dotenv):
                for variable in plugin.variables(definition):
                    if variable in source:
                        return source[variable], False
            for key in (definition["name"], *definition.get("aliases", ())):
                if (value := plugin.configured(key)) is not None:
                    return value, True
        return definition.get("value"), True

    def _chain(self, name: str) -> list[_Plugin]:
        """Return an extractor and those it inherits from, in that order."""
        entries = []
        seen: set[str] = set()
        where = f"{self.root / FILE}: no extractor"
        while name not in seen:
            seen.add(name)
            entry = _named((self._document.get("plugins") or {}).get("extractors"), name, where)
            entries.append(entry)
            parent = entry.get("inherit_from")
            if not parent or parent == name:
                break
            name, where = parent, f"{self.root / FILE}: {name} inherits from an unknown plugin; no extractor"
        else:
            raise ConfigError(f"{self.root / FILE}: extractor {name} inherits from itself")
        # A plugin's variables begin with those of the one it inherits from.
        chain: list[_Plugin] = []
        env: dict[str, str] = {}
        for entry in reversed(entries):
            env = self._env(entry, env)
            chain.insert(0, _Plugin(entry["name"], entry, self._override(entry["name"]), env))
        return chain

    def _override(self, extractor: str) -> Mapping[str, Any]:
        plugins = ((self._active.get("config") or {}).get("plugins") or {}).get("extractors") or []
        return next((each for each in plugins if each.get("name") == extractor), {})

    def _env(self, entry: Mapping[str, Any], inherited: Mapping[str, str]) -> dict[str, str]:
        env = {
            **inherited,
            **os.environ,
            "MELTANO_PROJECT_ROOT": str(self.root),
            "MELTANO_ENVIRONMENT": self.environment or "",
            **_texts(self._document.get("env")),
            "MELTANO_EXTRACTOR_NAME": entry["name"],
            "MELTANO_EXTRACTOR_NAMESPACE": entry.get("namespace") or entry["name"].replace("-", "_"),
            **_texts(entry.get("env")),
        }
        active = {key: expanded(value, env) or "" for key, value in _texts(self._active.get("env")).items()}
        return {**env, **active, **_texts(self._override(entry["name"]).get("env"))}


def _merged(root: Path) -> dict[str, Any]:
    """Return meltano.yml with the plugins and environments of the files it includes."""
    document = read_yaml(root / FILE)
    plugins = dict(document.get("plugins") or {})
    extractors, environments = list(plugins.get("extractors") or []), list(document.get("environments") or [])
    for pattern in document.get("include_paths") or []:
        for path in sorted(root.glob(pattern)):
            if path != root / FILE:
                part = read_yaml(path)
                extractors += (part.get("plugins") or {}).get("extractors") or []
                environments += part.get("environments") or []
    return {**document, "plugins": {**plugins, "extractors": extractors}, "environments": environments}


def _named(entries: list[Mapping[str, Any]] | None, name: str, problem: str) -> Mapping[str, Any]:
    for entry in entries or []:
        if entry.get("name") == name:
            return entry
    known = ", ".join(sorted(str(entry.get("name")) for entry in entries or [])) or "none"
    raise ConfigError(f"{problem} is named {name!r}; there are: {known}")


def _texts(env: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (env or {}).items() if value is not None}


def _kind_of(value: object) -> str | None:
    """Return the kind that Meltano gives to a key no setting declares."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "decimal"
        case dict():
            return "object"
        case list():
            return "array"
        case _:
            return None
