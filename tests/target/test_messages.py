"""What comes down the pipe: lines, message types, records that do not fit; and nothing personal in errors."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.testing import get_target_test_class

from target_hashfs.errors import InputError
from target_hashfs.reader import Reader
from target_hashfs.stop import Stop
from target_hashfs.target import TargetHashFS
from tests.target.contents import journal, tree
from tests.target.lines import (
    SECRETS,
    Json,
    hash_by_hand,
    record_line,
    schema_line,
    state_line,
    stream_of,
    uid,
)
from tests.target.running import archive, archive_here


class Quiet:
    """A pulse that never beats."""

    deadline = None

    def commit_if_due(self) -> None: ...


def read(content: bytes) -> list[Json]:
    seen: list[Json] = []
    counted = Reader(Stop(), Quiet()).process_lines(io.BytesIO(content), {"RECORD": seen.append})
    assert Counter({"RECORD": len(seen)} if seen else {}) == counted
    return seen


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3), max_size=5))
def test_reader_gives_what_was_sent(values: list[Json]) -> None:
    """Any text, any integer, blank lines in between."""
    lines = [{"type": "RECORD", "value": value} for value in values]
    assert lines == read(b"\n".join(json.dumps(line).encode() + b"\n" for line in lines))


def test_numbers_stay_what_they_are() -> None:
    """Floats are floats, and integers of any size are integers."""
    (message,) = read(b'{"type": "RECORD", "a": 1.5, "b": 123456789012345678901234567890, "c": 1e5}\n')
    assert (1.5, 123456789012345678901234567890, 1e5) == (message["a"], message["b"], message["c"])
    assert isinstance(message["a"], float)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "RECORD", "secret": ',
        b'secret {"type": "RECORD"}',
        b'["secret"]',
        b'"secret"',
        b'{"type": "RECORD", "secret": NaN}',
        b'{"type": "RECORD", "secret": "\xff"}',
        b'{"type": "RECORD", "secret": 1' + b"0" * 5000 + b"}",
        b'{"type": "secret"}',
        b'{"type": ["secret"]}',
        b'{"secret": 1}',
        b'{"type": "UNKNOWN"}',
        b"[" * 100_000,
    ],
)
def test_bad_lines(line: bytes) -> None:
    """The error tells the line's number and what was expected, never what the line says."""
    with pytest.raises(InputError, match="line 2") as caught:
        read(b'{"type": "RECORD"}\n' + line + b'\n{"type": "RECORD"}\n')
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def broken(line: Any) -> list[Any]:
    return [*stream_of(2), line, record_line(5), state_line(5)]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (record_line(3, date="bad " + SECRETS[0]), "stream 'imap_messages', record 3: date"),
        (record_line(3, subject=[SECRETS[0]]), "record 3: subject: expected null or string, found array"),
        (record_line(3, attachments=[{"filename": {SECRETS[0]: 1}}]), "attachments/0/filename"),
        (record_line(3, account="../" + SECRETS[0]), "record 3: account"),
        (record_line(3, message_id=""), "record 3: message_id"),
        (record_line(3, raw=SECRETS[0]), "record 3: raw"),
        ({"type": "RECORD", "stream": "imap_messages"}, "expected record"),
        ({"type": "RECORD", "stream": "imap_messages", "record": [SECRETS[0]]}, "object as record"),
        ({"type": "RECORD", "record": {SECRETS[0]: 1}}, "expected stream"),
        ({"type": "STATE", SECRETS[0]: 1}, "expected value"),
        ({"type": "SCHEMA", "stream": "x", "schema": SECRETS[0]}, "object as schema"),
        ({"type": "SCHEMA", "stream": "x", "schema": {SECRETS[0]: 1}}, "expected properties"),
        ({"type": "SCHEMA", "stream": 5, "schema": {"properties": {}}}, "name as stream"),
        ({"type": "SCHEMA", "stream": [SECRETS[0]], "schema": {"properties": {}}}, "name as stream"),
        ({"type": "SCHEMA", "stream": "x", "schema": {"properties": [SECRETS[0]]}}, "object as properties"),
        ({"type": "SCHEMA", "stream": "x", "schema": {"properties": None}}, "object as properties"),
        (schema_line("x", key_properties=5), "list of names as key_properties"),
        (schema_line("x", key_properties=[[SECRETS[0]]]), "list of names as key_properties"),
        ({"type": "BATCH", "stream": "imap_messages", "manifest": [SECRETS[0]]}, "BATCH"),
        (b'{"type": "RECORD", "x": "' + SECRETS[0].encode() + b"\n", "line 5"),
    ],
)
def test_bad_messages(path: Path, caplog: pytest.LogCaptureFixture, line: Any, text: str) -> None:
    """Exit 1; what came before is archived and acknowledged, the rest is not read; nothing personal."""
    with caplog.at_level(logging.INFO):
        result = archive_here(path, broken(line))
    assert (1, [2]) == (result.code, [uid(state) for state in result.states])
    assert text in result.log
    assert 4 == len(tree(path))
    assert not [secret for secret in SECRETS if secret in result.log + caplog.text]


def test_record_before_its_schema(path: Path) -> None:
    """The SDK's error; nothing is written."""
    with pytest.raises(RecordsWithoutSchemaException):
        archive_here(path, [record_line(1)])
    assert not path.exists()


def test_missing_key_property(path: Path, tmp_path: Path) -> None:
    """Stream, record and keys by name, in one line; what came before is archived."""
    line, lines = record_line(3), stream_of(2)
    del line["record"]["account"], line["record"]["message_id"], lines[0]["schema"]["required"]
    result = archive(path, tmp_path, [*lines, line, record_line(5)])
    assert (1, [2]) == (result.code, [uid(state) for state in result.states])
    last = result.log.splitlines()[-1]
    assert "stream 'imap_messages', record 3: expected every key property" in last
    assert "found no 'account', 'message_id'; let the tap send" in last
    assert not [secret for secret in SECRETS if secret in result.log]


@pytest.mark.parametrize("changes", [{"x\ud800": 1}, {"attachments": [{"\udce9": "\udce9"}]}])
def test_lone_surrogates_in_keys(path: Path, changes: Json) -> None:
    """They become U+FFFD there too, at any depth."""
    result = archive_here(path, [schema_line(), record_line(1, **changes)])
    assert (0, "") == (result.code, result.log)
    document = next(text for name, text in tree(path).items() if name.endswith(".json"))
    assert b"\xef\xbf\xbd" in document
    json.loads(document)


def test_lone_surrogates_excuse_nothing_else(path: Path) -> None:
    """What else is wrong with the record is named as ever."""
    result = archive_here(path, [schema_line(), record_line(1, **{"x\ud800": 1, "subject": 5})])
    assert "record 1: subject: expected null or string, found integer" in result.log


def test_activate_version_is_ignored(path: Path) -> None:
    """An archive keeps every version."""
    line = {"type": "ACTIVATE_VERSION", "stream": "imap_messages", "version": 1}
    assert 0 == archive_here(path, [*stream_of(2), line]).code


@pytest.mark.parametrize(
    "schema",
    [{"properties": {"a": {"type": "nonsense"}}}, {"properties": {"a": {"$ref": "http://localhost:1/x"}}}],
)
def test_bad_schemas(path: Path, schema: Json) -> None:
    """No JSON Schema, or one that would make the target fetch something."""
    line = schema_line()
    line["schema"]["properties"] |= schema["properties"]
    result = archive_here(path, [line])
    assert 1 == result.code
    assert "imap_messages" in result.log
    assert not path.exists()


def test_formats_are_not_checked(path: Path) -> None:
    """Dates are archived as they came, whatever a schema calls them."""
    line = schema_line()
    line["schema"]["properties"]["date"]["format"] = "date-time"
    archive_here(path, [line, record_line(1, date="2026-06-05 10:30:45.5")])
    document = next(text for name, text in tree(path).items() if name.endswith(".json"))
    assert "2026-06-05 10:30:45.5" == json.loads(document)["date"]


def test_schema_that_changes(path: Path) -> None:
    """A second SCHEMA of a stream is taken; every record is archived."""
    second = schema_line()
    second["schema"]["properties"]["more"] = {"type": "string"}
    assert 0 == archive_here(path, [*stream_of(2), second, record_line(8, more="x"), state_line(8)]).code
    assert 6 == len(tree(path))


def test_last_line_without_a_newline(path: Path) -> None:
    """A file edited by hand may end so; a whole message is taken."""
    lines = stream_of(2)
    assert 0 == archive_here(path, [*lines[:-1], json.dumps(lines[-1])]).code


# Stream maps


def test_stream_maps_see_every_record(path: Path) -> None:
    """What they change is what is archived; derived values follow; a filter drops, an alias renames."""
    maps = {
        "imap_messages": {
            "subject": "'[' + subject + ']'",
            "headers": "__NULL__",
            "message_id": "self.lower()",
            "__filter__": "'2@' in message_id",
            "__alias__": "mail",
        }
    }
    result = archive_here(path, [schema_line(), *(record_line(n) for n in (1, 2, 3))], stream_maps=maps)
    assert 0 == result.code
    (document,) = (json.loads(text) for name, text in tree(path).items() if name.endswith(".json"))
    assert f"[{SECRETS[0]}]" == document["subject"]
    assert "headers" not in document
    assert hash_by_hand(document) == document["content_hash"]
    assert result.target is not None
    assert 1 == result.target.archive.tally.disagreements


def test_stream_maps_can_drop_a_foreign_stream(path: Path) -> None:
    """A stream that is dropped need not be one of messages."""
    foreign = {"type": "SCHEMA", "stream": "other", "schema": {"properties": {"x": {"type": "integer"}}}}
    record = {"type": "RECORD", "stream": "other", "record": {"x": 1}}
    assert 1 == archive_here(path, [foreign, record]).code
    assert 0 == archive_here(path, [foreign, record, *stream_of(2)], stream_maps={"other": None}).code
    assert 4 == len(tree(path))


def test_stream_maps_that_take_away_the_address(path: Path) -> None:
    """Refused at the SCHEMA."""
    result = archive_here(path, stream_of(1), stream_maps={"imap_messages": {"body_html": "__NULL__"}})
    assert 1 == result.code
    assert "body_html" in result.log
    assert not path.exists()


def test_stream_maps_that_fail(path: Path) -> None:
    """Python's error would quote the value."""
    result = archive_here(path, stream_of(1), stream_maps={"imap_messages": {"size": "int(subject)"}})
    assert 1 == result.code
    assert "stream map" in result.log
    assert SECRETS[0] not in result.log


def test_flattening(path: Path) -> None:
    """Source stays out of the file however it is spread; the content hash is that of the list."""
    attachments = [{"filename": "a", "content_type": "b", "sha256": "c"}]
    lines = [schema_line(), record_line(1, attachments=attachments)]
    assert 0 == archive_here(path, lines, flattening_enabled=True, flattening_max_depth=2).code
    (document,) = (json.loads(text) for name, text in tree(path).items() if name.endswith(".json"))
    assert not [key for key in document if key.startswith("source")]
    assert "INBOX" == journal(path)[0]["source"]["folder"]
    assert lines[1]["record"]["content_hash"] == document["content_hash"]


# The SDK's own suite: its streams are no messages, so a stream map makes messages of them.

_MESSAGE = {
    "account": "'sdk'",
    "message_id": "'<' + md5(str(record)) + '@example.org>'",
    "date": "'2026-06-05T10:30:45+00:00'",
    "attachments": "'[]'",
} | {
    key: f"'{key}'"
    for key in ("from", "to", "cc", "bcc", "subject", "body_text", "body_text_source", "body_html")
}


@pytest.fixture(scope="class")
def resource() -> None:
    """The SDK's classes ask for one."""


_path: dict[str, str] = {}


class TestSdk(
    get_target_test_class(  # type: ignore[misc]
        TargetHashFS, config={"path": "/nonexistent/replaced", "stream_maps": {"*": _MESSAGE}}
    )
):
    """The standard tests of the Singer SDK."""

    @pytest.fixture(autouse=True)
    def _own_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TARGET_HASHFS_PATH", str(tmp_path / "sdk"))
