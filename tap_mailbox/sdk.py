"""The Singer SDK without the libraries that no stream of ours uses; imported before anything else of it.

fsspec (BATCH files), joblib (drains in parallel), requests and backoff (REST streams) are a third of the time
and of the memory that `import singer_sdk` takes, and a poll is little else. Each is loaded if the SDK ever
calls something in it; everybody else gets it as ever. The target has a twin of this file, since the pipe is
the only link between the two.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Late(ModuleType):
    """Stands for a module until something in it is called."""

    def __getattr__(self, name: str) -> partial[Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return partial(_call, self.__name__, name)


def _call(module: str, name: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # whatever it is
    return getattr(importlib.import_module(module), name)(*arguments, **options)


@contextmanager
def _late(*names: str) -> Iterator[None]:
    """Let those modules be stood for while something else is imported, unless they are there already."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update((name, _Late(name)) for name in absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _late("backoff", "joblib", "requests", "requests.adapters", "requests.exceptions", "upath", "urllib3"):
    from singer_sdk import Tap

__all__ = ["Tap"]
