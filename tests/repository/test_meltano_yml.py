"""meltano.yml says of each setting what the schemas say, and nothing else."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from meltano.core.utils import ENV_VAR_PATTERN

ROOT = Path(__file__).parents[2]
PROJECT = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
FROM_THE_SDK = {"stream_maps", "stream_map_config", "flattening_enabled", "flattening_max_depth"}
KINDS = {
    "string": {"string", "options", "date_iso8601"},
    "array": {"array"},
    "object": {"object"},
    "integer": {"integer"},
    "number": {"integer", "decimal"},
    "boolean": {"boolean"},
}
PLUGINS = [("extractors", "tap-mailbox", "tap-config"), ("loaders", "target-hashfs", "target-config")]


def plugin(kind: str, name: str) -> dict[str, Any]:
    return next(each for each in PROJECT["plugins"][kind] if each["name"] == name)


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    return document


def test_is_a_meltano_project() -> None:
    """Valid by the schema that Meltano ships."""
    path = files("meltano.schemas") / "meltano.schema.json"
    jsonschema.validate(PROJECT, json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("kind", "name", "config"), PLUGINS)
def test_settings_are_those_of_the_schema(kind: str, name: str, config: str) -> None:
    """The same names, kinds, defaults and labels; every setting described."""
    declared = {setting["name"]: setting for setting in plugin(kind, name)["settings"]}
    published = schema(config)["properties"]
    assert set(declared) - FROM_THE_SDK == set(published)
    for key, setting in declared.items():
        assert setting["description"]
        assert setting["label"]
        if key in published:
            types = published[key]["type"]
            main = types if isinstance(types, str) else types[0]
            assert setting["kind"] in KINDS[main], key
            if key != "credentials_dir":  # ours is a directory that git ignores
                assert setting.get("value") == published[key].get("default"), key


@pytest.mark.parametrize(("kind", "name", "config"), PLUGINS)
def test_every_environment_has_valid_settings(kind: str, name: str, config: str) -> None:
    """What the environments set fits the schemas."""
    for environment in PROJECT["environments"]:
        own = next(each for each in environment["config"]["plugins"][kind] if each["name"] == name)
        jsonschema.Draft202012Validator(schema(config)).validate(own["config"])


def test_no_secret_is_shown() -> None:
    """Settings that hold secrets are sensitive; the only password in the file is the demo's."""
    settings = {each["name"]: each for each in plugin("extractors", "tap-mailbox")["settings"]}
    assert settings["accounts"]["sensitive"] is True
    for environment in PROJECT["environments"]:
        for extractor in environment["config"]["plugins"]["extractors"]:
            for account in extractor["config"]["accounts"]:
                for method in account["auth"]:
                    assert method["password"] == "not-a-secret" or method["password"].startswith("$")


def test_environment_variables_are_in_the_example() -> None:
    """`.env.example` names every variable that meltano.yml asks for, and no other."""
    text = (ROOT / "meltano.yml").read_text(encoding="utf-8")
    code = "\n".join(
        line.partition(" #")[0] for line in text.splitlines() if not line.lstrip().startswith("#")
    )
    asked = {match["curly"] or match["normal"] for match in ENV_VAR_PATTERN.finditer(code)}
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert asked == {line.partition("=")[0] for line in example if line and not line.startswith("#")}


def test_job_and_schedule() -> None:
    """The job runs both plugins, every quarter of an hour."""
    assert {"name": "archive", "tasks": ["tap-mailbox target-hashfs"]} in PROJECT["jobs"]
    assert PROJECT["schedules"] == [
        {"name": "every-15-minutes", "interval": "*/15 * * * *", "job": "archive"}
    ]
    assert [each["name"] for each in PROJECT["environments"]] == ["demo", "dev", "prod"]
    assert PROJECT["default_environment"] == "demo"
    assert PROJECT["send_anonymous_usage_stats"] is False
    assert PROJECT["cli"]["disable_version_check"] is True
