"""`mailbox logout`: end a sign-in at the provider and delete the token file."""

from __future__ import annotations

import click

from tap_mailbox.auth import check_keys
from tap_mailbox.auth.revocation import revoke
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.cli.settings import Settings, configuration_options


@click.command()
@click.argument("name", metavar="ACCOUNT")
@configuration_options
@click.pass_obj
def logout(settings: Settings, name: str) -> None:
    """End the sign-in of an account: revoke its token where the provider can, and delete the token file.

    When the provider cannot be asked, the file stays, so that you can try again.

    \b
      mailbox logout gmail
    """  # noqa: D301  # click wants the character
    account = settings.accounts([name])[0]
    methods = {method.token_file: method for method in account.auth if method.token_file}
    if not methods:
        click.echo(f"{account.name} keeps no token: there is nothing to do here.")
        return
    check_keys([account])
    for path, method in methods.items():
        if not path.exists():
            click.echo(f"{path} does not exist: not signed in.")
            continue
        file = TokenFile(path)
        # Under the lock: a run may be exchanging the token for another one, which would outlive the file.
        with file.locked():
            click.echo(revoke(account, method))
            file.delete()
        click.echo(f"{path} is deleted.")
