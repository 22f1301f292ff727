"""What a user installs has everything it needs and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USE = """
import sys
site, root = sys.argv[1:]
sys.path[:] = [site, *(path for path in sys.path if path not in ("", root))]
import tap_mailbox.schema, target_hashfs.schema, tap_mailbox.tap, target_hashfs.target
assert all(module.__file__.startswith(site) for name, module in sys.modules.items()
           if name.startswith(("tap_mailbox", "target_hashfs"))), "imported from elsewhere"
for name in ("message", "tap-config"):
    assert tap_mailbox.schema.load_schema(name)["title"]
for name in ("message", "target-config", "journal-entry"):
    assert target_hashfs.schema.load_schema(name)["title"]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = directory.glob("tap_mailbox-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        return archive


def test_has_code_schemas_types_and_licence(wheel: zipfile.ZipFile) -> None:
    """Both packages, each with its schemas; no tests, no demo."""
    names = set(wheel.namelist())
    assert {
        "tap_mailbox/py.typed",
        "tap_mailbox/schemas/message.json",
        "tap_mailbox/schemas/tap-config.json",
        "target_hashfs/py.typed",
        "target_hashfs/schemas/journal-entry.json",
        "target_hashfs/schemas/message.json",
        "target_hashfs/schemas/target-config.json",
    } <= names
    code = {path.relative_to(ROOT).as_posix() for name in ("tap_mailbox", "target_hashfs")
            for path in (ROOT / name).rglob("*.py")}  # fmt: skip
    assert code <= names
    tops = {name.split("/")[0] for name in names}
    (info,) = tops - {"tap_mailbox", "target_hashfs"}
    assert info.endswith(".dist-info")
    assert f"{info}/licenses/LICENSE" in names


def test_runs_without_the_repository(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """The schemas are found where the wheel puts them."""
    with zipfile.ZipFile(wheel.filename or "") as archive:
        archive.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-I", "-c", USE, str(tmp_path / "site"), str(ROOT)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
