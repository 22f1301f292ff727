"""`hashfs`: the archive's own command: verify it, condense it, count it, read its journals. It only reads.

Exit codes: 0; 1 the archive is damaged, differs or is not there; 2 the command line.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from target_hashfs.errors import ConfigError, TargetError

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]


_COMMANDS = ("verify", "root", "stats", "log")


class _HashFS(click.Group):
    """Imports the command that is asked for, shows our errors as one line and ends with their exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise click.UsageError(str(error), ctx) from None
        except TargetError as error:
            raise click.ClickException(str(error)) from None
        except BrokenPipeError:
            raise  # click ends quietly: nobody reads any more
        except OSError as error:
            where = f" ({error.filename!s})" if error.filename is not None else ""
            raise click.ClickException(
                f"reading the archive failed: {error.strerror}{where}; look at the disk and its system log"
            ) from None


@click.group(cls=_HashFS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tap-mailbox", prog_name="hashfs")
def main() -> None:
    """Prove what an archive of target-hashfs holds. Nothing here changes it.

    PATH is the directory that holds hashfs.json; without it, the one you stand in.

    \b
      hashfs verify /srv/mail               is everything as it was archived?
      hashfs root /srv/mail --write roots   one number for all of it, to be kept elsewhere
      hashfs root /mnt/copy --check roots   is the copy the same?
    """  # noqa: D301 - click wants the character
    # Not click's exit code 1, which means damage; processes end and temporary files go on the way out.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _exit)


def _exit(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)
