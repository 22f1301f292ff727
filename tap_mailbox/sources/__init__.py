"""Where messages come from; siblings know nothing of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import AccountError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from datetime import datetime

    from tap_mailbox.config import Account
    from tap_mailbox.sources.base import Source
    from tap_mailbox.sources.graph.application import Application
    from tap_mailbox.stop import Stop


class Sources:
    """The sources of one run. Modules are imported late: a run pays only for the protocols it uses."""

    def __init__(self, *, start_date: datetime | None, stop: Stop, organisations: int = 1) -> None:
        """Open what an account names; *organisations* is how many accounts say `mailboxes: "*"`."""
        self._start_date, self._stop = start_date, stop
        self._applications: dict[Hashable, Application] = {}
        self._unasked = organisations
        self._sought: set[str] = set()
        self._found: set[str] = set()

    def accounts(self, account: Account) -> Iterator[Account]:
        """Yield the account itself, or the accounts it stands for (`mailboxes: "*"`).

        Raises:
            AccountError: the organisation cannot be asked for them, or none has a mailbox that `only` names.
        """
        if account.graph is None or not account.graph.every_mailbox:
            yield account
            return
        from tap_mailbox.sources.graph.mailboxes import every_mailbox  # noqa: PLC0415

        for each in every_mailbox(account, self._application(account), stop=self._stop):
            self._found.add(each.name)
            yield each
        self._sought |= account.graph.only
        self._unasked -= 1
        # Said when all have answered: each knows its own users alone.
        if not self._unasked and (unknown := sorted(self._sought - self._found)):
            raise AccountError(
                f"only: expected the addresses of licensed users, found none for {', '.join(unknown)} under "
                'mailboxes: "*"; correct them or take them out of only, or give the users a licence'
            )

    def open(self, account: Account, bookmark: dict[str, Any]) -> Source:
        """Return the source of an account; nothing is connected or read yet."""
        match account.protocol:
            case "imap":
                from tap_mailbox.sources.imap import ImapSource  # noqa: PLC0415

                return ImapSource(account, bookmark=bookmark, start_date=self._start_date, stop=self._stop)
            case "graph":
                from tap_mailbox.sources.graph import GraphSource  # noqa: PLC0415

                return GraphSource(
                    account,
                    bookmark=bookmark,
                    start_date=self._start_date,
                    stop=self._stop,
                    application=self._application(account),
                )
            case _:
                from tap_mailbox.sources.files import FilesSource  # noqa: PLC0415

                if account.path is None:
                    raise AccountError(f"protocol {account.protocol} without a path")
                return FilesSource(
                    account.path,
                    layout=account.format,
                    bookmark=bookmark,
                    start_date=self._start_date,
                    stop=self._stop,
                )

    def _application(self, account: Account) -> Application:
        """Return the application that the account signs in with."""
        from tap_mailbox.sources.graph.application import Application  # noqa: PLC0415

        methods = ((method.app_file, method.client_id) for method in account.auth)
        key = (account.graph and account.graph.url, account.authority, account.ca_file, *methods)
        return self._applications.setdefault(key, Application(self._stop.check))
