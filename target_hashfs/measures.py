"""What a run measured, as Singer metrics: one `METRIC` line a figure, for whoever watches many runs."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from singer_sdk import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping


class Measure(StrEnum):
    """Names of the figures; counts unless they say seconds or bytes."""

    MESSAGES = "messages"
    BYTES = "bytes"
    DUPLICATES = "duplicates"
    VARIANTS = "variants"
    COMMIT_SECONDS = "commit_seconds"


def publish(figures: Mapping[Measure, float]) -> None:
    """Write the figures to the SDK's metrics log."""
    logger = metrics.get_metrics_logger()
    for measure, value in figures.items():
        kind = "timer" if measure is Measure.COMMIT_SECONDS else "counter"
        # The SDK's own enumeration has the names of its streams' figures only.
        name = cast("metrics.Metric", measure)
        metrics.log(logger, metrics.Point(kind, name, value, {metrics.Tag.PID.value: os.getpid()}))
