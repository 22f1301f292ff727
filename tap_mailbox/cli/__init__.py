"""`mailbox`: sign in, look at and diagnose the accounts of a tap-mailbox configuration.

Exit codes: 0; 1 the configuration or a state cannot be used; 2 the command line; 3 an account failed.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import click

from tap_mailbox.cli.check import EXIT_ACCOUNT_FAILED, check
from tap_mailbox.cli.folders import folders
from tap_mailbox.cli.import_state import import_state
from tap_mailbox.cli.login import login
from tap_mailbox.cli.logout import logout
from tap_mailbox.cli.reconcile import reconcile
from tap_mailbox.cli.settings import Settings, configuration_options
from tap_mailbox.errors import AccountError, TapError

__all__ = ["main"]


class _AccountFailed(click.ClickException):
    exit_code = EXIT_ACCOUNT_FAILED


class _Mailbox(click.Group):
    """Shows our errors as one line and ends with their exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's
        try:
            return super().invoke(ctx)
        except TapError as error:
            raise (_AccountFailed if isinstance(error, AccountError) else click.ClickException)(
                str(error)
            ) from None


@click.group(cls=_Mailbox, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tap-mailbox", prog_name="mailbox")
@configuration_options
@click.pass_context
def main(context: click.Context) -> None:
    """Sign in, look at and diagnose the mailboxes that tap-mailbox archives.

    Reads the tap's own configuration: meltano.yml of the project you stand in, or --config FILE.

    \b
      mailbox check                         is everything in order?
      mailbox login work                    sign in, once, in a browser
      mailbox folders work --state s.json   what is read, and how far
    """  # noqa: D301  # click wants the character
    context.ensure_object(Settings)
    _quiet_libraries(context)


def _quiet_libraries(context: click.Context) -> None:
    """Show what our own code logs; libraries log addresses, URLs with codes, even answers with tokens."""
    own, root = logging.getLogger("tap_mailbox"), logging.getLogger()
    shown = logging.StreamHandler(sys.stderr)
    hidden = logging.NullHandler()
    shown.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    # A callback: -v may stand behind the command, whose options are not read yet.
    shown.addFilter(lambda record: bool(record.levelno >= logging.WARNING or context.obj.verbose))
    level = own.level
    own.setLevel(logging.INFO)
    own.addHandler(shown)
    # With a handler at the root, Python's last resort does not print what libraries warn of.
    root.addHandler(hidden)

    def restore() -> None:
        own.removeHandler(shown)
        own.setLevel(level)
        root.removeHandler(hidden)

    context.call_on_close(restore)


for _command in (login, logout, check, folders, reconcile, import_state):
    main.add_command(_command)
