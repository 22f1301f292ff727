"""A deeper Hypothesis profile for the parser: `HYPOTHESIS_PROFILE=deep pytest tests/tap/mime`."""

from __future__ import annotations

import os

import hypothesis

hypothesis.settings.register_profile("deep", max_examples=5_000, deadline=None)
if os.environ.get("HYPOTHESIS_PROFILE") == "deep":
    hypothesis.settings.load_profile("deep")
