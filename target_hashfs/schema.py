"""The published JSON Schemas, as dictionaries.

In a wheel they lie inside the package; in a checkout (and an editable install) at the repository's top.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any


def load_schema(name: str) -> dict[str, Any]:
    """Return the schema `schemas/<name>.json`.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    packaged = files("target_hashfs") / "schemas" / f"{name}.json"
    checkout = Path(__file__).resolve().parent.parent / "schemas" / f"{name}.json"
    text = packaged.read_text("utf-8") if packaged.is_file() else checkout.read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
