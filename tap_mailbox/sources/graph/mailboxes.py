"""Every licensed mailbox of an organisation, for `mailboxes: "*"`."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import AccountError, CredentialError
from tap_mailbox.sources.graph.folders import pages
from tap_mailbox.sources.graph.replies import Refused
from tap_mailbox.sources.graph.sign_in import open_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mailbox.config import Account
    from tap_mailbox.sources.graph.application import Application
    from tap_mailbox.stop import Stop

_QUERY = "$select=id,userPrincipalName,mail,assignedLicenses&$top=999"
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,126}[a-z0-9_@+-]?")


def every_mailbox(account: Account, application: Application, *, stop: Stop) -> Iterator[Account]:
    """Yield an account for each licensed user, in the service's order.

    Raises:
        AccountError: the users cannot be listed (application permission User.Read.All).
    """
    graph = account.graph
    if graph is None:
        return
    fallbacks = []
    for method in account.auth:
        try:
            credential = application.credential(account, method)
            client = open_client(account, credential, application.pace, wait=stop.wait)
            try:
                url = f"{graph.url}/users?{_QUERY}"
                users = list(pages(client, url, doing="listing the users"))
            finally:
                client.close()
            break
        except Refused as error:
            raise AccountError(
                f'{error}; mailboxes: "*" needs the application permission User.Read.All beside Mail.Read'
            ) from None
        except CredentialError as error:
            fallbacks.append(f"{method.method}: {error}")
    else:
        raise CredentialError("; ".join(fallbacks))
    nameless = 0
    for address in filter(None, map(_address, users)):
        name = address.lower()
        if not _NAME.fullmatch(name):
            nameless += not graph.only
            continue
        if not graph.only or name in graph.only:
            own = dataclasses.replace(
                graph, mailbox=address, every_mailbox=False, only=frozenset(), optional=True
            )
            yield dataclasses.replace(account, name=name, email=address, graph=own)
    if nameless:
        # At the end, since they must not cost the others their run.
        raise AccountError(
            f"{nameless} user(s) with an address that cannot name an account were not read; expected one "
            f"that in lower case matches {_NAME.pattern}"
        )


def _address(user: dict[str, Any]) -> str | None:
    """Return the address of a user who may have a mailbox; one whose licences are unknown may."""
    if user.get("assignedLicenses") == []:
        return None
    address = user.get("mail") or user.get("userPrincipalName")
    return address if isinstance(address, str) and "@" in address else None
