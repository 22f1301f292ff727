"""What an account's mailbox has, without reading a message: for the operator, not for the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mailbox.errors import AccountError
from tap_mailbox.sources import Sources
from tap_mailbox.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_mailbox.config import Account
    from tap_mailbox.sources.summary import Survey


def mailboxes(account: Account) -> Iterator[Account]:
    """Yield the account itself, or the accounts it stands for (`mailboxes: "*"`), as a run finds them.

    Raises:
        AccountError: the organisation cannot be asked for them.
    """
    yield from Sources(start_date=None, stop=Stop()).accounts(account)


def survey(account: Account, *, wait: Callable[[float], None]) -> Survey:
    """Return what the account's mailbox has; signs in once and changes nothing.

    Args:
        account: Of any protocol.
        wait: Waits some seconds when a server asks for it.

    Raises:
        AccountError: there is no way in; a second attempt is up to who calls.
    """
    # Imported here, so that nobody pays for the protocols they do not use.
    match account.protocol:
        case "imap":
            from tap_mailbox.sources.imap.survey import survey_imap  # noqa: PLC0415

            return survey_imap(account, wait=wait)
        case "graph":
            from tap_mailbox.sources.graph.survey import survey_graph  # noqa: PLC0415

            return survey_graph(account, wait=wait)
        case "files":
            from tap_mailbox.sources.files.survey import survey_files  # noqa: PLC0415

            return survey_files(account)
        case other:
            raise AccountError(f"protocol {other} has no mailbox to look at")
