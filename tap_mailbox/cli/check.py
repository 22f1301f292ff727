"""`mailbox check`: does every account work, and if not, which step fails?"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tap_mailbox.auth import PasswordCredential, check_keys, credential_for
from tap_mailbox.cli import reach
from tap_mailbox.cli.output import plural, printable, show_json, span
from tap_mailbox.cli.settings import Settings, configuration_options
from tap_mailbox.errors import AccountError, CredentialError
from tap_mailbox.sources.survey import mailboxes, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mailbox.config import Account

EXIT_ACCOUNT_FAILED = 3
SOON_DAYS = 14
"""A certificate that ends within this time is shown in yellow."""


@dataclass(slots=True)
class TokenAge:
    """How old the tokens of one OAuth method are."""

    method: str
    renewed: datetime | None
    """When the access token was last fetched; None: unknown, or never."""
    expires: datetime | None
    """When the access token ends; a run renews it by itself."""


@dataclass(slots=True)
class Checkup:
    """What was found out about one account; a field stays None where a step was not reached."""

    account: str
    protocol: str
    ok: bool = False
    optional: bool = False
    """Whether a run passes it over with a warning when it fails."""
    server: str | None = None
    addresses: list[str] | None = None
    tls: reach.Tls | None = None
    sign_in: str | None = None
    """The method that worked."""
    fallbacks: list[str] = field(default_factory=list)
    """Why methods before that one did not do."""
    tokens: list[TokenAge] = field(default_factory=list)
    selected: int | None = None
    """Folders that a run reads."""
    folders: int | None = None
    messages: int | None = None
    """In the selected folders, as far as the server says."""
    failed: str | None = None
    """The step that failed: dns, connection, tls, sign-in, mailbox or path."""
    error: str | None = None


@click.command()
@click.argument("names", nargs=-1, metavar="[ACCOUNT]...")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@configuration_options
@click.pass_obj
def check(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> None:
    """Try every account, or those named, and say which step fails.

    Name server, TLS, sign-in, token, folders: nothing is read or changed. Exits with 3 when an account fails.

    \b
      mailbox check
      mailbox check work gmail --json
    """  # noqa: D301  # click wants the character
    accounts = settings.accounts(names or None)
    check_keys(accounts)
    checkups = []
    for account in accounts:
        for checkup in _checkups(account):
            checkups.append(checkup)
            if not as_json:
                _show(checkup, tls_off=account.imap is not None and account.imap.tls == "none")
    failed = [checkup.account for checkup in checkups if not (checkup.ok or checkup.optional)]
    if as_json:
        show_json({"ok": not failed, "accounts": [asdict(checkup) for checkup in checkups]})
    elif failed:
        click.echo(f"{len(failed)} of {plural(len(checkups), 'account')} failed: {', '.join(failed)}")
    else:
        passed_over = sum(not checkup.ok for checkup in checkups)
        more = f", {passed_over} passed over" if passed_over else ""
        click.echo(f"{plural(len(checkups) - passed_over, 'account')} in order{more}")
    if failed:
        click.get_current_context().exit(EXIT_ACCOUNT_FAILED)


def _checkups(account: Account) -> Iterator[Checkup]:
    """Yield what is found out about an account, or about each mailbox it stands for."""
    try:
        for each in mailboxes(account):
            yield examined(each)
    except AccountError as error:
        yield Checkup(account.name, account.protocol, failed="sign-in", error=str(error))


def examined(account: Account) -> Checkup:
    """Return what is found out about an account; never raises for what is wrong with it."""
    checkup = Checkup(account.name, account.protocol)
    checkup.optional = account.graph is not None and account.graph.optional
    try:
        server = reach.server_of(account)
        if server is not None:
            checkup.server = f"{server.host}:{server.port}"
            checkup.addresses = reach.addresses(server)
            checkup.tls = reach.tls(server)
        found = survey(account, wait=time.sleep)
    except reach.Unreachable as error:
        checkup.failed, checkup.error = error.step, str(error)
    except CredentialError as error:
        checkup.failed, checkup.error = "sign-in", str(error)
    except AccountError as error:
        checkup.failed, checkup.error = "path" if account.protocol == "files" else "mailbox", str(error)
    else:
        chosen = [folder for folder in found.folders if folder.selected]
        counts = [folder.messages for folder in chosen if folder.messages is not None]
        checkup.ok = True
        checkup.server, checkup.sign_in = found.server, found.credential or None
        checkup.fallbacks = found.fallbacks
        checkup.selected, checkup.folders = len(chosen), len(found.folders)
        checkup.messages = sum(counts) if counts or not chosen else None
    checkup.tokens = _token_ages(account)
    return checkup


def _token_ages(account: Account) -> list[TokenAge]:
    ages = []
    for method in account.auth:
        # A command that asks for a password has been run by the survey; twice would be rude.
        if method.method == "password":
            continue
        with suppress(AccountError):  # the sign-in has said so
            credential = credential_for(account, method)
            if not isinstance(credential, PasswordCredential):
                ages.append(TokenAge(method.method, credential.renewed, credential.expires))
    return ages


def _show(checkup: Checkup, *, tls_off: bool) -> None:
    click.secho(
        f"{checkup.account} ({checkup.protocol}{f', {checkup.server}' if checkup.server else ''})", bold=True
    )
    if checkup.addresses is not None:
        _line("dns", plural(len(checkup.addresses), "address"))
    if checkup.tls is not None:
        days = checkup.tls.days_left
        _line(
            "tls",
            f"{checkup.tls.version}, certificate verified, expires in {plural(days, 'day')}",
            colour="yellow" if days < SOON_DAYS else None,
        )
    elif tls_off and checkup.failed not in ("dns", "connection"):
        _line("tls", "off", colour="yellow")
    if checkup.sign_in is not None:
        _line("sign-in", checkup.sign_in)
    for reason in checkup.fallbacks:
        _line("fell back", printable(reason), colour="yellow")
    for token in checkup.tokens:
        _line("token", f"{token.method}: {_age(token)}")
    if checkup.folders is not None:
        counted = "" if checkup.messages is None else f", {plural(checkup.messages, 'message')}"
        _line("folders", f"{checkup.selected} of {checkup.folders} selected{counted}")
    if checkup.error is not None:
        verdict, colour = ("passed over", "yellow") if checkup.optional else ("FAILED", "red")
        _line(checkup.failed or "failed", f"{verdict}: {printable(checkup.error)}", colour=colour)


def _line(step: str, text: str, *, colour: str | None = None) -> None:
    click.echo(f"  {step:<10} {click.style(text, fg=colour) if colour else text}")


def _age(token: TokenAge) -> str:
    if token.renewed is None:
        return "not renewed yet"
    now = datetime.now(UTC)
    told = f"renewed {span(now - token.renewed)} ago"
    if token.expires is None:
        return told
    left = span(token.expires - now)
    return f"{told}, expires in {left}" if token.expires > now else f"{told}, expired {left} ago"
