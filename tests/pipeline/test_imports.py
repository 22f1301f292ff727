"""What a start of either end imports, and what it leaves for whoever needs it (their sdk.py)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"asyncio", "backoff", "fsspec", "joblib", "upath"}


def imported(code: str) -> set[str]:
    """Return the libraries that *code* brings into a process of its own."""
    report = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tap_mailbox.tap", HEAVY | {"imapclient", "lxml", "msal", "requests", "urllib3"}),
        ("target_hashfs.target", HEAVY | {"requests", "urllib3"}),
    ],
)
def test_start(module: str, absent: set[str]) -> None:
    """Neither end imports what a poll does not need."""
    found = imported(f"import {module}")
    assert "singer_sdk" in found
    assert set() == absent & found


@pytest.mark.parametrize("package", ["tap_mailbox", "target_hashfs"])
@pytest.mark.parametrize(
    ("use", "library"),
    [
        ("from singer_sdk.helpers import _batch; assert str(_batch.UPath('/tmp').parent) == '/'", "fsspec"),
        ("from singer_sdk import target_base as t; assert [3] == t.Parallel()([t.delayed(abs)(-3)])", "joblib"),
        ("from singer_sdk.streams import rest; rest.requests.Session().close()", "requests"),
    ],
)  # fmt: skip
def test_use(package: str, use: str, library: str) -> None:
    """What the SDK calls after all is loaded then and works; the rest of the process sees nothing of it."""
    assert library in imported(
        f"import {package}.sdk\n{use}\nimport requests.exceptions, joblib, upath, urllib3"
    )


@pytest.mark.parametrize("package", ["tap_mailbox", "target_hashfs"])
def test_loaded_before(package: str) -> None:
    """A library that is there already stays what it is."""
    imported(
        f"import joblib\nimport {package}.sdk\nfrom singer_sdk import target_base\n"
        "assert target_base.Parallel is joblib.Parallel"
    )
