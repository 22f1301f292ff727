"""Where messages come from; siblings know nothing of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import AccountError

if TYPE_CHECKING:
    from datetime import datetime

    from tap_mailbox.config import Account
    from tap_mailbox.sources.base import Source
    from tap_mailbox.stop import Stop


def open_source(
    account: Account, *, bookmark: dict[str, Any], start_date: datetime | None, stop: Stop
) -> Source:
    """Return the source of an account; nothing is connected or read yet.

    Raises:
        AccountError: this version cannot read the account's protocol.
    """
    # Imported here, so that a run pays only for the protocols it uses.
    match account.protocol:
        case "imap":
            from tap_mailbox.sources.imap import ImapSource  # noqa: PLC0415

            return ImapSource(account, bookmark=bookmark, start_date=start_date, stop=stop)
        case "files" if account.path is not None:
            from tap_mailbox.sources.files import FilesSource  # noqa: PLC0415

            return FilesSource(
                account.path, layout=account.format, bookmark=bookmark, start_date=start_date, stop=stop
            )
        case other:
            raise AccountError(f"protocol {other} is not available in this version; the account is not read")
