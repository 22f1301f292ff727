"""Settings from the environment: every one can be given there, and what is wrong is named by its variable."""

from __future__ import annotations

from typing import Any

import pytest

from tap_mailbox.config import environment_config
from tap_mailbox.errors import ConfigError
from tap_mailbox.schema import load_schema
from tap_mailbox.tap import TapMailbox

SCHEMA = load_schema("tap-config")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ACCOUNTS", '[{"name": "a"}]', [{"name": "a"}]),
        ("CREDENTIALS_DIR", "./keys", "./keys"),
        ("LIMITS", '{"depth": 3}', {"depth": 3}),
        ("MAX_WAIT", "30", 30),
        ("MAX_WAIT", " 0.5\n", 0.5),
        ("ONLY", '["a", "b"]', ["a", "b"]),
        ("ONLY", "a, b", ["a", "b"]),
        ("ONLY", "null", None),
        ("RECONCILE_DAYS", "0", 0),
        ("RECONCILE_DAYS", "null", None),
        ("START_DATE", "2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z"),
        ("START_DATE", "null", None),
        ("WORKERS", "auto", "auto"),
        ("WORKERS", "2", "2"),
    ],
)
def test_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: object) -> None:
    """Numbers, null, lists and objects are JSON, text is text, names may be listed with commas."""
    monkeypatch.setenv(f"TAP_MAILBOX_{name}", text)
    assert {name.lower(): expected} == environment_config(SCHEMA)


@pytest.mark.parametrize("key", SCHEMA["properties"])
@pytest.mark.parametrize("text", ["", "  "])
def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch, key: str, text: str) -> None:
    """An empty variable is how a shell or a container file leaves one out."""
    monkeypatch.setenv(f"TAP_MAILBOX_{key.upper()}", text)
    assert {} == environment_config(SCHEMA)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("ACCOUNTS", '[{"password": "fake-secret"', "JSON of type array, found something that is no JSON"),
        ("ACCOUNTS", '"fake-secret"', "array, found string"),
        ("ACCOUNTS", "[" * 100_000, "no JSON"),
        ("LIMITS", "[]", "object, found array"),
        ("MAX_WAIT", "fake-secret", "number, found something that is no JSON"),
        ("MAX_WAIT", "NaN", "no JSON"),
        ("MAX_WAIT", "null", "number, found null"),
        ("MAX_WAIT", "true", "number, found boolean"),
        ("ONLY", "123", "array or null, found integer"),
        ("RECONCILE_DAYS", "0.5", "integer or null, found number"),
    ],
)
def test_refused(monkeypatch: pytest.MonkeyPatch, name: str, text: str, words: str) -> None:
    """The variable is named with what belongs there; its value may be a secret."""
    monkeypatch.setenv(f"TAP_MAILBOX_{name}", text)
    with pytest.raises(ConfigError, match=f"^TAP_MAILBOX_{name} must be ") as caught:
        environment_config(SCHEMA)
    assert (True, False) == (words in str(caught.value), "fake-secret" in str(caught.value))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("FLATTENING_ENABLED", "yes", True),
        ("FLATTENING_ENABLED", "False", False),
        ("FLATTENING_MAX_DEPTH", "3", 3),
        ("STREAM_MAPS", "{}", {}),
    ],
)
def test_settings_of_the_sdk(monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: object) -> None:
    """Stream maps and flattening come from there as well."""
    schema: dict[str, Any] = {"properties": {}}
    TapMailbox.append_builtin_config(schema)
    monkeypatch.setenv(f"TAP_MAILBOX_{name}", text)
    assert {name.lower(): expected} == environment_config(schema)
