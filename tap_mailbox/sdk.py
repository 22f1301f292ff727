"""The Singer SDK without the libraries that no stream of ours uses; imported before anything else of it.

REST streams with requests, jsonschema and referencing (jsonschema-rs has their place), fsspec (BATCH files),
joblib (drains in parallel) and the like are two thirds of the time that `import singer_sdk` takes, and a poll
is little else. Each is loaded if the SDK ever needs something in it; everybody else gets it as ever. The
target has a twin of this file, since the pipe is the only link between the two.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from functools import cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
    from singer_sdk import Tap

__all__ = ["Tap"]
