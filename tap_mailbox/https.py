"""HTTPS sessions that trust what the account trusts and never show a token to anybody else."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies

from tap_mailbox.errors import AccountError

if TYPE_CHECKING:
    from pathlib import Path


class _Adapter(HTTPAdapter):
    """Verifies with one TLS context; requests' own way of naming authorities yields to the environment."""

    def __init__(self, context: ssl.SSLContext, connections: int) -> None:
        self._context = context
        super().__init__(pool_connections=connections, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401  # requests' own
        super().init_poolmanager(*args, ssl_context=self._context, **settings)

    def cert_verify(self, conn: Any, url: str, verify: object, cert: object) -> None:  # noqa: ANN401, ARG002
        # requests would load certifi's authorities into the context at every connection, for 40 ms each.
        conn.cert_reqs = "CERT_REQUIRED"

    def proxy_manager_for(self, *args: Any, **settings: Any) -> Any:  # noqa: ANN401  # likewise
        return super().proxy_manager_for(*args, ssl_context=self._context, **settings)


def https_session(url: str, *, ca_file: Path | None, connections: int = 1) -> requests.Session:
    """Return a session for *url* that trusts the system's authorities and those of *ca_file*.

    Proxies of the environment are used. Its CA bundles and ~/.netrc are not: the first would silently replace
    *ca_file*, the second our Authorization (requests' `trust_env`).

    Raises:
        AccountError: *ca_file* cannot be read, or holds no certificate.
    """
    session = requests.Session()
    session.trust_env = False
    session.proxies = get_environ_proxies(url)
    session.mount("https://", _Adapter(_context(ca_file), connections))
    session.mount("http://", HTTPAdapter(pool_connections=connections, pool_maxsize=connections))
    return session


@functools.cache
def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except OSError as error:
            # A file that is no PEM is an SSLError, which is an OSError.
            reason = error.strerror or "it holds no certificate"
            raise AccountError(f"ca_file {ca_file} cannot be read: {reason}") from None
    return context
