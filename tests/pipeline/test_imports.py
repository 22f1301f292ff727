"""What a start of either end imports, what it leaves for whoever needs it (their sdk.py), and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

HEAVY = {
    *("asyncio", "attr", "backoff", "dotenv", "fsspec", "importlib_metadata", "joblib", "jsonpath_ng"),
    *("jsonschema", "packaging", "referencing", "requests", "upath", "urllib3"),
}

USES = [
    ("from singer_sdk.helpers import _batch; assert str(_batch.UPath('/tmp').parent) == '/'", "fsspec"),
    ("from singer_sdk import target_base as t; assert [3] == t.Parallel()([t.delayed(abs)(-3)])", "joblib"),
    ("from singer_sdk.streams import rest; rest.requests.Session().close()", "requests"),
    ("import singer_sdk; assert singer_sdk.RESTStream.http_method", "requests"),
    ("from singer_sdk import batch; assert [] == [*batch.entry_points(group='none')]", "importlib"),
    ("from singer_sdk import about; assert '3.13' in [*about.get_supported_pythons('>=3.13')]", "packaging"),
    (
        "from singer_sdk.configuration import _dict_config as d; d.parse_environment_config({}, 'X_')",
        "dotenv",
    ),
    (
        """if True:
        from singer_sdk.plugin_base import JSONSchemaValidator
        schema, config = {'properties': {'a': {'default': 3}}}, {}
        assert [] == [*JSONSchemaValidator(schema).iter_errors(config)]
        assert {'a': 3} == config
        """,
        "jsonschema",
    ),
    (
        """if True:
        from singer_sdk.sinks import core
        try:
            core.JSONSchemaValidator({'type': 'string'}).validate(3)
        except core.InvalidRecord:
            pass
        else:
            raise AssertionError
        """,
        "jsonschema",
    ),
    (
        """if True:
        from singer_sdk.singerlib import resolve_schema_references
        assert {'type': 'null'} == resolve_schema_references({'$ref': 'b'}, {'b': {'type': 'null'}})
        """,
        "referencing",
    ),
]
"""What the SDK does with the libraries that it comes without, and what is loaded then."""


def imported(code: str) -> set[str]:
    """Return the libraries that *code* brings into a process of its own."""
    report = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tap_mailbox.tap", HEAVY | {"imapclient", "lxml", "msal"}),
        ("target_hashfs.target", HEAVY),
    ],
)
def test_start(module: str, absent: set[str]) -> None:
    """Neither end imports what a poll does not need."""
    found = imported(f"import {module}")
    assert "singer_sdk" in found
    assert set() == absent & found


@pytest.mark.parametrize("package", ["tap_mailbox", "target_hashfs"])
@pytest.mark.parametrize(("use", "library"), USES)
def test_use(package: str, use: str, library: str) -> None:
    """What the SDK calls after all is loaded then and works; the rest of the process sees nothing of it."""
    assert library in imported(
        f"import {package}.sdk\n{use}\nimport dotenv.main, joblib, jsonschema.validators, packaging.version, "
        "referencing.jsonschema, requests.exceptions, singer_sdk.schema.source, upath"
    )


@pytest.mark.parametrize("package", ["tap_mailbox", "target_hashfs"])
def test_loaded_before(package: str) -> None:
    """A library that is there already stays what it is."""
    imported(
        f"import joblib\nimport {package}.sdk\nfrom singer_sdk import target_base\n"
        "assert target_base.Parallel is joblib.Parallel"
    )


def run_main(module: str, *arguments: str, at_exit: str, **variables: str) -> tuple[str, str]:
    """Run an end's command in a process of its own; return what *at_exit* gives at its very end, and its log."""
    code = (
        f"import atexit, gc, sys; atexit.register(lambda: print({at_exit})); import {module} as m; m.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        check=False,
    )
    return done.stdout.splitlines()[-1], done.stderr


LOG_SETTINGS = {
    "version": 1,
    "formatters": {"told": {"format": "as told: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "told"}},
    "root": {"handlers": ["console"]},
}


@pytest.mark.parametrize("module", ["tap_mailbox.tap", "target_hashfs.target"])
@pytest.mark.parametrize(
    ("text", "loaded"), [(json.dumps(LOG_SETTINGS), False), (yaml.dump(LOG_SETTINGS), True)]
)
def test_log_settings(tmp_path, module: str, text: str, loaded: bool) -> None:
    """The log follows SINGER_SDK_LOG_CONFIG; in JSON, as Meltano writes it, that needs no PyYAML."""
    settings = tmp_path / "settings"
    settings.write_text(text)
    given = {"at_exit": "'yaml' in sys.modules", "SINGER_SDK_LOG_CONFIG": str(settings)}
    end, log = run_main(module, "--config", str(tmp_path / "none"), **given)
    assert str(loaded) == end
    assert [True] == [line.startswith("as told: ") for line in log.splitlines()]


@pytest.mark.parametrize("module", ["tap_mailbox.tap", "target_hashfs.target"])
def test_end(module: str) -> None:
    """At the end nothing is left to the collector, which would look at everything twice (a tenth of a poll)."""
    end, _ = run_main(module, "--version", at_exit="gc.get_freeze_count() > 10_000")
    assert "True" == end
