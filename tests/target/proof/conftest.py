"""An archive of its own for every test of its proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.target.proof.example import an_archive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return an_archive(tmp_path / "archive")
