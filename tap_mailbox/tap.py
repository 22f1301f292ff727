"""The Singer tap: configuration, discovery, state and exit codes."""

from __future__ import annotations

import atexit
import copy
import gc
import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

import click

from tap_mailbox.sdk import Tap, command_of  # isort: skip  # before anything else of the SDK
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.tap_base import CliTestOptionValue

from tap_mailbox.auth import check_keys
from tap_mailbox.bookmarks import check_state, unwrapped, without_nulls
from tap_mailbox.config import Config, environment_config, parse_config
from tap_mailbox.errors import ConfigError, OutputGone, StateError, Stopped
from tap_mailbox.measures import Measure, publish
from tap_mailbox.parsers import Parsers, automatic
from tap_mailbox.schema import load_schema
from tap_mailbox.stop import Stop
from tap_mailbox.streams import FileMessages, GraphMessages, ImapMessages, MessagesStream, Outcome
from tap_mailbox.wire import PipeWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import IO

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.helpers.types import TapState
    from singer_sdk.plugin_base import _ConfigInput

EXIT_NOTHING_STARTED = 1
EXIT_PARTIAL = 3
LAST_STATE_POLL_SECONDS = 0.02


class TapMailbox(Tap):
    """Reads e-mail incrementally from IMAP servers, Microsoft Graph and local files."""

    name = "tap-mailbox"
    package_name = "tap-mailbox"
    config_jsonschema: ClassVar[dict[str, Any]] = load_schema("tap-config")
    # No BATCH: its files are not durable when the message about them is written.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    settings: Config | None = None
    """The configuration; None in discovery, which needs none."""
    parsers: Parsers | None = None
    """Processes that parse; None where there is no core for them."""

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401  # the SDK's, passed on
        self.stop = Stop()
        self.outcomes: list[Outcome] = []
        # imapclient reports every closed connection at INFO.
        logging.getLogger("imapclient").setLevel(logging.WARNING)
        super().__init__(**{"message_writer": PipeWriter(self.stop), **arguments})

    def discover_streams(self) -> list[MessagesStream]:
        """Return all three streams in discovery, and in a run those that some account feeds."""
        streams = [ImapMessages, GraphMessages, FileMessages]
        if self.settings is not None:
            fed = {account.protocol for account in self.settings.accounts}
            streams = [stream for stream in streams if stream.protocol in fed]
        return [
            stream(self, settings=self.settings, stop=self.stop, parsers=self.parsers, outcomes=self.outcomes)
            for stream in streams
        ]

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the whole state, keys the tap does not know among them.

        Raises:
            StateError: it has not the shape of a state.
        """
        # The SDK keeps `bookmarks.<stream>` only, and the target's `_hashfs` would get lost on the way.
        # In place: the streams hold this dictionary already.
        self.state.update(cast("TapState", without_nulls(check_state(copy.deepcopy(state)))))

    def _reset_state_progress_markers(self) -> None:
        """Do nothing: no stream of ours has markers, and what others keep among the bookmarks is theirs."""

    def run(self) -> int:
        """Read everything and return the exit code."""
        if self.settings is not None and not self.settings.accounts:
            self.logger.warning("no account is configured: `accounts` is empty, nothing is read")
        return self._guarded(self.sync_all)

    def _guarded(self, work: Callable[[], object]) -> int:
        """Do some work on the streams and return the exit code that its end deserves."""
        try:
            work()
        except Stopped:
            self._summarise()
            self.logger.warning("stopped by signal %s; state covers what was handed over", self.stop.signum)
            self._write_last_state()
            return 128 + (self.stop.signum or 0)
        except OutputGone as error:
            self._summarise()
            if self.stop.requested:
                # Ctrl-C ends both, and the target may be gone first.
                return 128 + (self.stop.signum or 0)
            self.logger.error("the target closed the pipe (%s); its own message says why", error)  # noqa: TRY400
            return EXIT_NOTHING_STARTED
        finally:
            if self.parsers:
                self.parsers.close()
        self._summarise()
        return EXIT_PARTIAL if any(each.report.failures for each in self.outcomes) else 0

    def _write_last_state(self) -> None:
        """Write the state as soon as the pipe has room; the alarm of `Stop` ends the wait."""
        while True:
            try:
                self.state_writer.write_state(self.state)
            except Stopped:
                time.sleep(LAST_STATE_POLL_SECONDS)
            except OutputGone:
                return
            else:
                return

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check and parse the configuration. The SDK's own check quotes values, and with them secrets."""
        if not raise_errors:
            return []
        self.append_builtin_config(self.config_jsonschema)
        schema = load_schema("tap-config")
        # Stream maps and flattening are the SDK's settings, and the SDK checks them.
        builtin = self.config_jsonschema["properties"].keys() - schema["properties"].keys()
        try:
            own = {key: value for key, value in self.config.items() if key not in builtin}
            # The SDK reads 0.5 as a Decimal: no JSON number to a validator, no timeout to a socket.
            settings = parse_config(json.loads(json.dumps(own, default=float)), schema)
            check_keys(settings.accounts)
            self.settings = settings
            workers = automatic() if settings.workers is None else settings.workers
            self.parsers = Parsers(workers, self.stop) if workers else None
        except ConfigError as error:
            raise ConfigValidationError("Config validation failed", errors=[str(error)]) from None
        return []

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Take note of a signal. The SDK would write STATE from the handler, into the middle of a line."""
        self.stop.request(signum, frame)

    def _summarise(self) -> None:
        for each in self.outcomes:
            report = each.report
            fields = {
                "account": each.account,
                "status": "interrupted" if each.interrupted else "partial" if report.failures else "complete",
                "folders": report.folders,
                "messages": report.messages,
                "octets": report.octets,
                "vanished": report.vanished,
                "pending": report.pending,
                "warnings": len(report.warnings),
                "failures": len(report.failures),
                "credential": report.credential,
                "seconds": round(each.seconds, 3),
            }
            text = " ".join(f"{key}={value}" for key, value in fields.items())
            self.logger.info("summary: %s", text, extra=fields)
            figures = {
                Measure.MESSAGES: report.messages,
                Measure.BYTES: report.octets,
                Measure.PENDING: report.pending,
            }
            publish(figures, account=each.account)
            for line in report.warnings:
                self.logger.warning("summary: account %s: %s", each.account, line)
            for line in report.failures:
                self.logger.error("summary: account %s: %s", each.account, line)

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap from the command line; ends the process with the exit code of DESIGN.md section 8."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        try:
            tap = cls(
                config={} if config is None else config.config,
                state=unwrapped(_read_json(state, "state")),
                catalog=_read_json(catalog, "catalog"),
            )
        except StateError as error:
            cls.logger.error("%s", error)  # noqa: TRY400
            sys.exit(EXIT_NOTHING_STARTED)
        sys.exit(tap.run())

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        """Read the `--config` files and, for `--config=ENV`, the environment, which wins."""
        try:
            given = super().cb_config(ctx, param, value)
            if given.parse_env:
                cls.append_builtin_config(cls.config_jsonschema)
                given.config |= environment_config(cls.config_jsonschema)
                given.parse_env = False
        except ConfigError as error:
            cls.logger.error("%s", error)  # noqa: TRY400
        except (OSError, ValueError, TypeError) as error:
            # The SDK's own FileNotFoundError comes without strerror; what is no object it cannot merge.
            missing = "there is no such file"
            reason = error.strerror or missing if isinstance(error, OSError) else "it is no JSON object"
            cls.logger.error("a configuration file of %s cannot be read: %s", ", ".join(value), reason)  # noqa: TRY400
        else:
            return given
        sys.exit(EXIT_NOTHING_STARTED)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`: one record a stream; exit 3 when an account that was asked failed."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        config: _ConfigInput = ctx.params["config"]
        try:
            tap = cls(config=config.config)
        except ConfigValidationError as error:
            cls.logger.error("%s", "; ".join(error.errors))  # noqa: TRY400  # it says all there is
            ctx.exit(EXIT_NOTHING_STARTED)
        ctx.exit(tap._guarded(tap.run_connection_test))


def main() -> None:
    """Run `tap-mailbox`; a command line that cannot be understood starts nothing either (exit 1)."""
    atexit.register(gc.freeze)  # the collector would go through everything twice, for a process that ends
    try:
        sys.exit(command_of(TapMailbox).main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_NOTHING_STARTED)


def _read_json(file: IO[str] | None, what: str) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        document = json.loads(file.read())
    except ValueError as error:
        raise StateError(f"the {what} file {file.name} is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise StateError(f"the {what} in {file.name} must be an object, found {type(document).__name__}")
    return document
