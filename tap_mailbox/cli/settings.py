"""Which configuration the commands work on: `--config` files, or the plugin of a Meltano project."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_mailbox.cli.documents import read_yaml
from tap_mailbox.cli.meltano import FILE, Project, find_project
from tap_mailbox.config import environment_config, parse_config
from tap_mailbox.errors import ConfigError
from tap_mailbox.schema import load_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_mailbox.config import Account, Config


@dataclass(slots=True)
class Settings:
    """What the command line says of the configuration; read when a command needs it."""

    config: tuple[str, ...] = ()
    extractor: str = "tap-mailbox"
    environment: str | None = None
    verbose: bool = False

    def accounts(self, names: Sequence[str] | None = None) -> tuple[Account, ...]:
        """Return the accounts called *names*, whatever `only` says; none named: all; None: those a run reads.

        Raises:
            ConfigError: there is no configuration, it is wrong, or has no such account.
        """
        return self._parsed({} if names is None else {"only": list(names)}).accounts

    @property
    def start_date(self) -> datetime | None:
        """Before which nothing is read. Raises as `accounts`."""
        return self._parsed({}).start_date

    @property
    def limits(self) -> Mapping[str, int]:
        """Those of the parser that are configured. Raises as `accounts`."""
        return self._parsed({}).limits

    def project(self) -> Project | None:
        """Return the Meltano project we stand in.

        Raises:
            ConfigError: it cannot be read, or lacks the environment.
        """
        root = find_project()
        if root is None:
            return None
        with _shaped(root):
            return Project(root, environment=self.environment)

    def _parsed(self, override: dict[str, Any]) -> Config:
        raw, root = self._read()
        schema = load_schema("tap-config")
        try:
            return parse_config({**_without_sdk_settings(raw, schema), **override}, schema, root=root)
        except ConfigError as error:
            # Of the names on the command line it speaks as of the key that carries them.
            raise ConfigError(str(error).removeprefix("only: ") if override else str(error)) from None

    def _read(self) -> tuple[dict[str, Any], Path | None]:
        """Return the configuration as written, and where relative paths in it start."""
        if self.config:
            return _from_files(self.config), None
        project = self.project()
        if project is None:
            raise ConfigError(
                f"no configuration: there is no {FILE} here or above; go to the project's directory, or name "
                "the tap's configuration with --config FILE"
            )
        with _shaped(project.root):
            config = project.config(self.extractor)
            # TAP_MAILBOX_KEY, proxies, what a password_command needs: a run would have them too.
            os.environ.update(project.variables(self.extractor))
        if "accounts" not in config:
            where = f" in environment {project.environment}" if project.environment else ""
            raise ConfigError(
                f"{project.root / FILE}: extractor {self.extractor!r} has no accounts{where}; "
                "is it the right --environment?"
            )
        return config, project.root


def configuration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the configuration is; they may stand before or behind the command."""

    def note(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401
        if value:
            setattr(context.ensure_object(Settings), str(parameter.name), value)

    options = (
        click.option(
            "--config",
            multiple=True,
            metavar="FILE",
            help=f"The tap's configuration, JSON or YAML; ENV reads TAP_MAILBOX_* variables. "
            f"May be repeated, later ones win.  [default: {FILE} here or above]",
            expose_value=False,
            callback=note,
        ),
        click.option(
            "--extractor",
            metavar="NAME",
            help=f"Plugin in {FILE}.  [default: tap-mailbox]",
            expose_value=False,
            callback=note,
        ),
        click.option(
            "--environment",
            metavar="NAME",
            help="Meltano environment.  [default: MELTANO_ENVIRONMENT, else the project's]",
            expose_value=False,
            callback=note,
        ),
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            help="Say more about what happens, on stderr.",
            expose_value=False,
            callback=note,
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def _shaped(root: Path) -> Iterator[None]:
    """Say which file it was when something in it is a list where a mapping belongs, or the like."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ConfigError(
            f"{root / FILE} is not as Meltano wants it; `meltano config print tap-mailbox` says more"
        ) from None


def _from_files(names: Sequence[str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in names:
        config |= environment_config(load_schema("tap-config")) if name == "ENV" else read_yaml(Path(name))
    return config


def _without_sdk_settings(raw: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration without stream maps and the like, which the Singer SDK checks itself."""
    if raw.keys() <= schema["properties"].keys():
        return raw
    from singer_sdk import Tap  # noqa: PLC0415  # half a second to import

    complete = {"properties": dict(schema["properties"])}
    Tap.append_builtin_config(complete)
    builtin = complete["properties"].keys() - schema["properties"].keys()
    return {key: value for key, value in raw.items() if key not in builtin}
