"""A target as the SDK's cookiecutter makes it: a BatchSink that appends JSON lines; not durable."""

from __future__ import annotations

import json
from pathlib import Path

from singer_sdk import BatchSink, Target


class _Sink(BatchSink):
    max_size = 500

    def process_batch(self, context: dict) -> None:
        with Path("written.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(record, default=str) + "\n" for record in context["records"])


class _Stock(Target):
    name = "target-stock"
    default_sink_class = _Sink


if __name__ == "__main__":
    _Stock.cli()
