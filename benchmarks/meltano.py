"""`meltano run` around the pair, in a project of its own; and Meltano around two plugins that do nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.measured import Run, run, set_aside

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).parent.parent
_BIN = Path(sys.executable).parent


class Project:
    """The repository's meltano.yml with other accounts, and with *programs* in the place of ours."""

    def __init__(
        self, directory: Path, accounts: list[dict[str, Any]], programs: Mapping[str, str] | None = None
    ) -> None:
        directory.mkdir()
        self._root, self._archive, self._log = directory, directory / "archive", directory / "log"
        document = yaml.safe_load((_ROOT / "meltano.yml").read_text(encoding="utf-8"))
        for plugin in [*document["plugins"]["extractors"], *document["plugins"]["loaders"]]:
            if "pip_url" in plugin:
                # As of a release: of an editable one Meltano asks the catalog anew in every run.
                plugin["pip_url"] = plugin["name"]
                plugin["executable"] = (programs or {}).get(plugin["name"], str(_BIN / plugin["executable"]))
        prod = next(each for each in document["environments"] if each["name"] == "prod")
        prod["config"]["plugins"]["extractors"][0]["config"]["accounts"] = accounts
        prod["config"]["plugins"]["loaders"][0]["config"]["path"] = str(self._archive)
        (directory / "meltano.yml").write_text(json.dumps(document), encoding="utf-8")

    def sync(self) -> Run:
        """Read everything into a new archive, from no state."""
        set_aside(self._archive)
        set_aside(self._root / ".meltano")
        return self.poll()

    def poll(self) -> Run:
        """Run once more."""
        variables = {
            "HOME": str(self._root),
            "MELTANO_PROJECT_ROOT": str(self._root),
            "MELTANO_ENVIRONMENT": "prod",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        settings = [f"{name}={value}" for name, value in variables.items()]
        command = [
            "env",
            *settings,
            str(_BIN / "meltano"),
            "run",
            "--no-install",
            "tap-mailbox",
            "target-hashfs",
        ]
        return run(command, log=self._log, cwd=self._root)
