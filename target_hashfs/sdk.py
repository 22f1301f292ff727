"""The Singer SDK without the libraries that no sink of ours uses; imported before anything else of it.

REST streams with requests, jsonschema and referencing (jsonschema-rs has their place), fsspec (BATCH files),
joblib (drains in parallel) and the like are two thirds of the time that `import singer_sdk` takes, and a poll
is little else. Each is loaded if the SDK ever needs something in it; everybody else gets it as ever. The
tap has a twin of this file, since the pipe is the only link between the two.
"""

from __future__ import annotations

import importlib
import json
import logging.config
import os
import sys
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click import Command


class _Later:
    """Stands for what an expression gives: noted while the SDK is imported, worked out when it is needed."""

    noting: ClassVar[bool] = False

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = cache(find)

    def _then(self, step: Callable[[Any], Any]) -> Any:  # noqa: ANN401  # whatever it is
        return _Later(lambda: step(self._find())) if self.noting else step(self._find())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        return self._then(lambda value: getattr(value, name))

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        return self._then(lambda value: value[key])

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        return self._then(lambda value: value(*arguments, **options))


class _Late(ModuleType):
    """Stands for a module until something in it is needed."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(_Later(partial(importlib.import_module, self.__name__)), name)


@contextmanager
def _late(*names: str) -> Iterator[None]:
    """Let those modules be stood for while something else is imported, unless they are there already."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update((name, _Late(name)) for name in absent)
    _Later.noting = True
    try:
        yield
    finally:
        _Later.noting = False
        for name in absent:
            del sys.modules[name]


with _late(
    *("dotenv", "dotenv.main", "importlib_metadata", "joblib", "jsonschema", "jsonschema.validators"),
    *("packaging.specifiers", "packaging.version", "referencing", "referencing.jsonschema"),
    *("singer_sdk.schema.source", "singer_sdk.streams.graphql", "singer_sdk.streams.rest", "upath"),
):
    from singer_sdk import Target

__all__ = ["Target", "command_of"]

_LOG_SETTINGS = "SINGER_SDK_LOG_CONFIG"
"""The variable that names a file of settings for `logging.config`."""


def command_of(plugin: type[Target]) -> Command:
    """Return the command of *plugin*, which logs as SINGER_SDK_LOG_CONFIG says; JSON needs no PyYAML."""
    settings = _json_log_settings()
    if settings is None:
        return plugin.cli
    # The SDK would load PyYAML for it, a tenth of a poll. Its own handler first, as it does.
    del os.environ[_LOG_SETTINGS]
    command = plugin.cli
    logging.config.dictConfig(settings)
    # Settings may disable what is there already, and the SDK makes this one after them.
    plugin.logger.disabled = False
    return command


def _json_log_settings() -> dict[str, Any] | None:
    """Return what the file of log settings says, or None where there is none or it is no JSON."""
    try:
        settings: dict[str, Any] = json.loads(Path(os.environ[_LOG_SETTINGS]).read_bytes())
    except (KeyError, OSError, ValueError):
        return None
    return settings
