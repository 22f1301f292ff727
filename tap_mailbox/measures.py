"""What a run measured, as Singer metrics: one `METRIC` line a figure, for whoever watches many runs."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from singer_sdk import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping


class Measure(StrEnum):
    """Names of the figures, all counts."""

    MESSAGES = "messages"
    BYTES = "bytes"
    PENDING = "pending"


def publish(figures: Mapping[Measure, int], *, account: str) -> None:
    """Write an account's figures to the SDK's metrics log."""
    logger = metrics.get_metrics_logger()
    tags = {"account": account, metrics.Tag.PID.value: os.getpid()}
    for measure, value in figures.items():
        # The SDK's own enumeration has the names of its streams' figures only.
        metrics.log(logger, metrics.Point("counter", cast("metrics.Metric", measure), value, tags))
