"""`mailbox login`: sign in as a person, once; the token file then renews itself."""

from __future__ import annotations

import time
import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from tap_mailbox.auth import check_keys
from tap_mailbox.auth.login import DeviceCode, sign_in_by_browser, sign_in_by_device
from tap_mailbox.cli.output import plural, printable
from tap_mailbox.cli.settings import Settings, configuration_options
from tap_mailbox.errors import ConfigError

if TYPE_CHECKING:
    from tap_mailbox.config import Account, AuthMethod

TIMEOUT_SECONDS = 900
"""What Microsoft gives a code to live."""


@click.command()
@click.argument("name", metavar="ACCOUNT")
@click.option(
    "--method",
    "wanted",
    metavar="N|NAME",
    help="Which of the account's auth methods.  [default: the first that has a token_file]",
)
@click.option("--no-browser", is_flag=True, help="Show the address only; open it wherever you like.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Where the browser comes back to on this machine.  [default: any free port]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=TIMEOUT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for you.",
)
@configuration_options
@click.pass_obj
def login(
    settings: Settings, name: str, *, wanted: str | None, no_browser: bool, port: int | None, timeout: float
) -> None:
    """Sign in to an account whose method has a token_file.

    Microsoft (method msal): shows a code to enter on any device. Others (xoauth2): opens a browser that comes
    back to this machine.

    \b
      mailbox login outlook-personal
      mailbox login gmail --no-browser --port 8765
    On a machine without a browser:  ssh -L 8765:127.0.0.1:8765 you@server, then the second line there.
    """  # noqa: D301  # click wants the character
    account = settings.accounts([name])[0]
    method = _method(account, wanted)
    if method.token_file is None:
        what = "a password" if method.method == "password" else "the application itself"
        click.echo(
            f"{account.name} signs in with {what}: there is nothing to do here. Try: mailbox check {name}"
        )
        return
    check_keys([account])
    if method.method == "msal":
        sign_in_by_device(account, method, show=_show_code, wait=time.sleep, timeout=timeout)
    else:

        def show(url: str, listening: int) -> None:
            _show_address(url, listening, open_it=not no_browser)

        sign_in_by_browser(account, method, show=show, port=port or 0, timeout=timeout)
    click.echo(f"Signed in; {method.token_file} is written. Next: mailbox check {name}")


def _method(account: Account, wanted: str | None) -> AuthMethod:
    """Return the sign-in method to use.

    Raises:
        ConfigError: the account has none, or no such one.
    """
    if not account.auth:
        raise ConfigError(f"{account.name} has no sign-in: protocol {account.protocol} needs none")
    if wanted is None:
        return next((method for method in account.auth if method.token_file), account.auth[0])
    for number, method in enumerate(account.auth, 1):
        if wanted in (str(number), method.method):
            return method
    known = ", ".join(f"{number} ({method.method})" for number, method in enumerate(account.auth, 1))
    raise ConfigError(f"{account.name} has no auth method {wanted!r}; there are {known}")


def _show_code(code: DeviceCode) -> None:
    shown = click.style(printable(code.user_code), bold=True)
    click.echo(f"Open {printable(code.url)} on any device and enter the code {shown}")
    click.echo(f"Waiting for you, {plural(round(code.seconds / 60) or 1, 'minute')} at most …")


def _show_address(url: str, port: int, *, open_it: bool) -> None:
    click.echo(f"Open this address and sign in:\n\n  {url}\n")
    if open_it:
        # No browser here, or none that starts: the address is on the screen.
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(url)
    else:
        click.echo(
            f"The browser must be able to come back to port {port} of this machine. From another one:\n\n"
            f"  ssh -L {port}:127.0.0.1:{port} THIS_MACHINE\n"
        )
    click.echo("Waiting for the browser …")
