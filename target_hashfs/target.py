"""The Singer target: the SDK's machinery around the archive, and the exit codes."""

from __future__ import annotations

import atexit
import gc
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click

from target_hashfs.sdk import Target, command_of  # isort: skip  # before anything else of the SDK
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import FLATTENING_CONFIG, STREAM_MAPS_CONFIG, PluginCapabilities
from singer_sdk.mapper import RemoveRecordTransform
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.singerlib.exceptions import SingerError

from target_hashfs.archive import Archive
from target_hashfs.canonical import Canonical
from target_hashfs.config import Config, read_environment
from target_hashfs.errors import InputError, RecordError, SchemaError, Stopped, TargetError
from target_hashfs.measures import Measure, publish
from target_hashfs.reader import Reader
from target_hashfs.schema import load_schema
from target_hashfs.sink import ArchiveSink
from target_hashfs.stop import Stop
from target_hashfs.writer import emit, require_output

if TYPE_CHECKING:
    from types import FrameType

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.mapper import StreamMap
    from singer_sdk.sinks import Sink

Json = dict[str, Any]

_SDK_SETTINGS: Json = STREAM_MAPS_CONFIG["properties"] | FLATTENING_CONFIG["properties"]


class TargetHashFS(Target):
    """Archives every message once, durably, under the hash of its Message-ID."""

    name = "target-hashfs"
    package_name = "tap-mailbox"
    config_jsonschema: ClassVar[Json] = load_schema("target-config")
    default_sink_class = ArchiveSink
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    settings: Config

    def __init__(self, *, stop: Stop | None = None, **options: Any) -> None:  # noqa: ANN401 - the SDK's
        """Prepare to archive; nothing is touched before the first SCHEMA.

        Raises:
            ConfigError: the configuration is unusable.
        """
        self._stop = stop or Stop()
        super().__init__(**options)
        self.max_parallelism = 1
        self.canonical = Canonical(load_schema("message"))
        self.archive = Archive(self.settings, partial(emit, self._stop))
        self.message_reader = Reader(self._stop, self.archive)
        self._started = time.monotonic()

    # Configuration

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        # The SDK's own validation prints the values it refuses.
        del raise_errors
        self._config = {key: value for key, value in self._config.items() if value is not None}
        own = {key: value for key, value in self._config.items() if key not in _SDK_SETTINGS}
        self.settings = Config.parse(own, load_schema("target-config"))
        return []

    @classmethod
    def append_builtin_config(cls, config_jsonschema: Json) -> None:
        """Add the settings of stream maps and flattening; the SDK's others mean nothing here."""
        config_jsonschema["properties"] |= _SDK_SETTINGS

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        """Read the configuration files; a file that cannot be read ends the run with one line."""
        try:
            return super().cb_config(ctx, param, value)
        except FileNotFoundError:
            reason = "no such file"
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except ValueError:
            reason = "it is no JSON"
        cls.logger.error("configuration of target-hashfs: cannot read %s: %s", ", ".join(value), reason)
        raise SystemExit(1)

    @classproperty
    def _env_var_config(cls) -> Json:  # noqa: N805 - the SDK's
        cls.append_builtin_config(cls.config_jsonschema)
        return read_environment(cls.config_jsonschema["properties"], cls._env_var_prefix)

    # Messages

    def archives(self, stream: str) -> bool:
        """Whether records of *stream* are kept; stream maps can drop a whole stream."""
        return not all(
            isinstance(stream_map, RemoveRecordTransform)
            for stream_maps in self.mapper.stream_maps.values()
            for stream_map in stream_maps
            if stream_map.stream_alias == stream
        )

    def _process_schema_message(self, message_dict: Json) -> None:
        self._assert_line_requires(message_dict, requires={"stream", "schema"})
        stream, schema = message_dict["stream"], message_dict["schema"]
        if not isinstance(stream, str) or not isinstance(schema, dict):
            raise InputError("SCHEMA message: expected a name as stream and an object as schema")
        if not isinstance(schema.get("properties", {}), dict):
            raise InputError("SCHEMA message: expected an object as properties of the schema")
        keys = message_dict.get("key_properties") or []
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise InputError("SCHEMA message: expected a list of names as key_properties")
        super()._process_schema_message(message_dict)
        # Not before the stream is known to be one of messages: a refused run leaves no trace.
        self.archive.open()

    def _process_record_message(self, message_dict: Json) -> None:
        self._assert_line_requires(message_dict, requires={"stream", "record"})
        stream, record = message_dict["stream"], message_dict["record"]
        if not isinstance(stream, str) or not isinstance(record, dict):
            raise InputError("RECORD message: expected a name as stream and an object as record")
        if stream not in self.mapper.stream_maps:
            self._assert_sink_exists(stream)
        for stream_map in self.mapper.stream_maps[stream]:
            mapped = self._map(stream_map, record.copy())
            if mapped is not None:
                self._sink(stream_map.stream_alias).receive(mapped)

    @staticmethod
    def _map(stream_map: StreamMap, record: Json) -> Json | None:
        try:
            return stream_map.transform(record)
        except SingerSDKError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's expression can raise anything
            # Python's messages quote values, so that only the kind of the error may be told.
            raise RecordError(
                f"stream {stream_map.stream_alias!r}: a stream map failed on a record "
                f"({type(error).__name__}); check the expressions in stream_maps"
            ) from None

    def _sink(self, stream: str) -> ArchiveSink:
        self._assert_sink_exists(stream)
        sink: Sink = self.get_sink(stream)
        assert isinstance(sink, ArchiveSink)  # noqa: S101 - we make no others
        return sink

    def _process_state_message(self, message_dict: Json) -> None:
        self._assert_line_requires(message_dict, requires={"value"})
        self.archive.add_state(message_dict["value"])

    def _process_activate_version_message(self, message_dict: Json) -> None:
        self.logger.debug("ACTIVATE_VERSION ignored: an archive keeps every message of every version")
        del message_dict

    def _process_batch_message(self, message_dict: Json) -> None:
        del message_dict
        raise InputError("BATCH messages are not supported: let the tap send RECORD messages")

    # The end

    def process_endofpipe(self) -> None:
        """Make the rest durable, let the last state go and say what was done."""
        self.archive.finish()
        self._close()

    def _end_early(self) -> None:
        """Make durable what was received: the run ends before its input."""
        self.archive.commit_received()
        self._close()

    def _close(self) -> None:
        for sink in self._sinks_active.values():
            sink.clean_up()
        self._report()
        self.archive.close()

    def _report(self) -> None:
        tally = self.archive.tally
        seconds = round(time.monotonic() - self._started, 1)
        if tally.disagreements:
            self.logger.warning(
                "%d derived values (message_hash, content_hash, year_month, raw_sha256) did not fit their "
                "records; the computed ones were archived. Does a stream map change messages?",
                tally.disagreements,
            )
        self.logger.info(
            "%s%d messages: %d archived (%d of them variants), %d duplicates, %d recovered, %d quarantined; "
            "%d bytes in %d commits, %.1f seconds",
            "dry run, nothing written: " if self.settings.dry_run else "",
            tally.messages,
            tally.archived,
            tally.variants,
            tally.duplicates,
            tally.recovered,
            tally.quarantined,
            tally.bytes,
            tally.commits,
            seconds,
            extra=asdict(tally) | {"seconds": seconds},
        )
        publish(
            {
                Measure.MESSAGES: tally.messages,
                Measure.BYTES: tally.bytes,
                Measure.DUPLICATES: tally.duplicates,
                Measure.VARIANTS: tally.variants,
                Measure.COMMIT_SECONDS: round(tally.commit_seconds, 3),
            }
        )

    def _write_state_message(self, state: Json) -> None:
        # The SDK calls this after draining its own sinks, which says nothing about the archive.
        del state
        raise AssertionError("a state may leave through the archive only")

    # Signals and the command line

    def _setup_signal_handlers(self) -> None:
        """Do nothing: `invoke` installs ours, and only in a process of our own."""

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        self._stop.request(signum, frame)

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Run the command and exit with its code."""
        super(Target, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        sys.exit(cls._run(config or _ConfigInput(), file_input))

    @classmethod
    def _run(cls, config: _ConfigInput, file_input: IO[str] | None) -> int:
        stop = Stop()
        stop.install()
        code = 0
        try:
            cls(stop=stop, config=config.config, parse_env_config=config.parse_env).archive_all(file_input)
        except (TargetError, SingerSDKError, SingerError) as error:
            details = error.errors if isinstance(error, ConfigValidationError) else []
            cls.logger.error("%s", "; ".join([str(error), *details]))  # noqa: TRY400 - one line for people
            code = 1
        return 128 + stop.signum if stop.signum is not None else code

    def archive_all(self, file_input: IO[str] | None) -> None:
        """Archive the input; whatever ends it, what was received before is made durable first.

        Raises:
            TargetError: the input, the archive or the disk is not what it should be.
        """
        require_output()
        try:
            self.listen(file_input)
        except Stopped:
            self._end_early()
        except (InputError, SchemaError, SingerSDKError, SingerError):
            self._end_early()
            raise


def main() -> None:
    """Run `target-hashfs`; a command line that cannot be understood is an error like others (exit 1)."""
    atexit.register(gc.freeze)  # the collector would go through everything twice, for a process that ends
    try:
        sys.exit(command_of(TargetHashFS).main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(1)
