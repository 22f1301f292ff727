"""`python -m benchmarks [TABLE ...]`: prints the tables of docs/performance.md, measured here and now."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

TABLES = ("sync", "poll", "memory", "latency", "graph", "target", "workers", "growth")


def main() -> None:
    """Measure what is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "tables",
        nargs="*",
        choices=[*TABLES, []],
        metavar="TABLE",
        help=f"of {', '.join(TABLES)}; all by default",
    )
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(
        prefix="benchmark-", dir=os.environ.get("TMPDIR", "/var/tmp")
    ) as scratch:
        for name in options.tables or TABLES:
            module = importlib.import_module(f"benchmarks.{name}")
            place = Path(scratch, name)
            place.mkdir()
            print(f"\n## {module.__doc__.splitlines()[0]}\n")
            print(module.report(place, options.rounds), flush=True)


def machine() -> str:
    """Return where and with what this was measured."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        "unknown",
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("singer-sdk", "orjson", "msgspec", "lxml"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processors ({model}), "
        f"Linux {platform.release()}, Python {platform.python_version()}, {packages}; "
        f"load {os.getloadavg()[0]:.1f} at the start."
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    main()
