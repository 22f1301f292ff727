"""Settings: those of the environment, and numbers of unusual size (DESIGN.md section 6)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.target.contents import tree
from tests.target.lines import encoded, stream_of, uid
from tests.target.running import archive, environment


def archive_by_environment(path: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the target as a process whose settings are variables."""
    settings = {f"TARGET_HASHFS_{name.upper()}": value for name, value in variables.items()}
    return subprocess.run(
        [sys.executable, "-m", "target_hashfs", "--config=ENV"],
        input=encoded(stream_of(3)),
        capture_output=True,
        env=environment() | {"TARGET_HASHFS_PATH": str(path), "TARGET_HASHFS_MIN_FREE_BYTES": "0"} | settings,
        timeout=60,
        check=False,
    )


def test_environment(path: Path) -> None:
    """Text, numbers with and without a fraction, truth and objects: each as its setting wants it."""
    maps = {"imap_messages": {"subject": "'mapped'"}}
    done = archive_by_environment(
        path,
        commit_seconds="1.5",
        commit_messages="1",
        journal="7",
        lease="true",
        stream_maps=json.dumps(maps),
    )
    assert (0, [2, 3]) == (done.returncode, [uid(json.loads(line)) for line in done.stdout.splitlines()])
    assert (path / "_journal/7.jsonl").exists()
    assert all(b'"subject": "mapped"' in text for name, text in tree(path).items() if name.endswith("json"))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ({"commit_messages": "secret"}, "commit_messages: expected integer in TARGET_HASHFS_COMMIT_MESSAGES"),
        ({"commit_seconds": "1,5"}, "commit_seconds: expected number in"),
        ({"commit_seconds": "NaN"}, "commit_seconds: expected number in"),
        ({"commit_messages": "1.5"}, "commit_messages: expected integer, found number"),
        ({"commit_bytes": ""}, "commit_bytes: expected integer in"),
        ({"flattening_max_depth": "secret"}, "flattening_max_depth: expected integer or null"),
        ({"stream_maps": "{secret"}, "stream_maps: expected object or null"),
    ],
)
def test_nonsense_in_the_environment(path: Path, variable: dict[str, Any], text: str) -> None:
    """Named by setting and variable in one line, without the value; nothing is written."""
    done = archive_by_environment(path, **variable)
    log = done.stderr.decode()
    assert (1, b"") == (done.returncode, done.stdout)
    assert text in log.splitlines()[-1]
    assert "Traceback" not in log
    assert "secret" not in log
    assert not path.exists()


@pytest.mark.parametrize("seconds", [2_147_484, 1e300])
def test_long_waits(path: Path, tmp_path: Path, seconds: float) -> None:
    """However long a message may wait, the input is read to its end."""
    result = archive(path, tmp_path, stream_of(3), commit_seconds=seconds)
    assert (0, [3]) == (result.code, [uid(state) for state in result.states])
