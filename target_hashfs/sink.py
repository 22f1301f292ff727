"""One stream: checks that it can be archived, turns its records into messages, hands them to the archive."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import InvalidRecord, MissingKeyPropertiesError
from singer_sdk.sinks import Sink
from singer_sdk.sinks.core import BaseJSONSchemaValidator

from target_hashfs.canonical import NEEDED, scrub
from target_hashfs.errors import RecordError, SchemaError
from target_hashfs.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_hashfs.target import TargetHashFS

_SOURCE = "source"


class RecordValidator(BaseJSONSchemaValidator):
    """The SDK's place for a validator, filled with a fast one that keeps values to itself."""

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__(schema)
        self._validator = Validator(schema)

    def validate(self, record: dict[str, Any]) -> None:
        """Raise `InvalidRecord` if *record* does not fit; without the record."""
        problems = list(self._validator.problems(record))
        if problems:
            # It stumbles over lone surrogates that the archive takes as U+FFFD.
            with suppress(RecursionError):
                problems = list(self._validator.problems(scrub(record)))
        if problems:
            raise InvalidRecord("; ".join(problems[:5]), {})


class ArchiveSink(Sink):
    """A stream of messages."""

    def __init__(
        self,
        target: TargetHashFS,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        properties = schema.get("properties") or {}
        missing = [name for name in NEEDED if name not in properties]
        if missing and target.archives(stream_name):
            raise SchemaError(
                f"stream {stream_name!r} cannot be archived: its schema lacks {', '.join(missing)}, which "
                "the address and the content hash of a message are made of. Select these properties in the "
                "tap (and keep them in stream_maps)"
            )
        try:
            super().__init__(target, stream_name, schema, key_properties)
        except SchemaError as error:
            raise SchemaError(f"schema of stream {stream_name!r}: {error}") from None
        self._archive = target.archive
        self._canonical = target.canonical
        self._received = 0
        flattening = target.mapper.flattening_options
        self._source_prefix = f"{_SOURCE}{flattening.separator}" if flattening.enabled else None

    def get_validator(self) -> BaseJSONSchemaValidator:
        """Return the validator of this stream's records."""
        return RecordValidator(self.schema)

    @property
    def is_full(self) -> bool:
        """Never: the archive, which all streams share, decides when it commits."""
        return False

    def receive(self, record: dict[str, Any]) -> None:
        """Check *record*, as the stream maps left it, and take it; it is durable once its state has left.

        Raises:
            RecordError: it does not fit the schema, or cannot have an address.
            MissingKeyPropertiesError: a key property is missing.
        """
        self._received += 1
        self._remove_sdc_metadata_from_record(record)
        self._validate_and_parse(record)
        self._singer_validate_message(record)
        self.tally_record_read()
        self.process_record(record, {})
        self.record_counter_metric.increment()

    def _validate_and_parse(self, record: dict[str, Any]) -> dict[str, Any]:
        # Without the SDK's parsing of dates: they are archived as they came. And without its log of values.
        if self._validator is not None:
            try:
                self._validator.validate(record)
            except InvalidRecord as error:
                raise self._refusal(error.error_message) from None
        return record

    def _singer_validate_message(self, record: dict[str, Any]) -> None:
        missing = [repr(key) for key in self._key_properties if key not in record]
        if missing:
            reason = f"expected every key property of the stream, found no {', '.join(missing)}"
            raise MissingKeyPropertiesError(
                str(self._refusal(f"{reason}; let the tap send it and stream_maps keep it"))
            )

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Hand *record* to the archive."""
        del context
        if self._source_prefix is not None:
            record = self._gather_source(record, self._source_prefix)
        try:
            message = self._canonical.message(record)
        except RecordError as error:
            raise self._refusal(str(error)) from None
        self._archive.add(message)

    def process_batch(self, context: dict[str, Any]) -> None:
        """Do nothing: no batch is kept here."""

    def _refusal(self, reason: str) -> RecordError:
        return RecordError(f"stream {self.stream_name!r}, record {self._received}: {reason}")

    @staticmethod
    def _gather_source(record: dict[str, Any], prefix: str) -> dict[str, Any]:
        """Return *record* with its flattened source put together again: it must not get into the file."""
        source = {key.removeprefix(prefix): value for key, value in record.items() if key.startswith(prefix)}
        rest = {key: value for key, value in record.items() if not key.startswith(prefix)}
        return rest | {_SOURCE: source} if source else rest
