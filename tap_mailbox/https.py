"""HTTPS sessions that trust what the account trusts and never show a token to anybody else."""

from __future__ import annotations

import functools
import logging
import math
import ssl
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3.exceptions import HTTPError

from tap_mailbox.errors import AccountError

if TYPE_CHECKING:
    from pathlib import Path

    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

_PIECE_OCTETS = 64 * 1024


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

    Proxies of the environment are used for https; plain http stays on this machine. Its CA bundles and
    ~/.netrc are not used: the first would silently replace *ca_file*, the second our Authorization (requests'
    `trust_env`).

    Raises:
        AccountError: *ca_file* cannot be read, or holds no certificate.
    """
    # It logs addresses in paths, and headers that it could not read.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    session = requests.Session()
    session.trust_env = False
    session.proxies = get_environ_proxies(url) if urlsplit(url).scheme == "https" else {}
    session.mount("https://", _Adapter(_context(ca_file), connections))
    session.mount("http://", HTTPAdapter(pool_connections=connections, pool_maxsize=connections))
    return session


def https_pool(url: str, *, ca_file: Path | None, connections: int) -> HTTPConnectionPool:
    """Return the connections that `https_session` would use to the server of *url*, for many small requests.

    requests takes longer over each than urllib3 below it. In return whoever asks here says every time that
    nothing is repeated (`retries=False`) and no redirect followed (`redirect=False`).

    Raises:
        AccountError: as `https_session`, or the environment names a proxy that cannot be used.
    """
    session = https_session(url, ca_file=ca_file, connections=connections)
    adapter, request = cast("HTTPAdapter", session.get_adapter(url)), requests.Request("GET", url).prepare()
    try:
        pool = adapter.get_connection_with_tls_context(request, verify=True, proxies=session.proxies)
    except (requests.RequestException, HTTPError):
        # Not the error's own words: they may quote the proxy's password.
        raise AccountError("the proxy that the environment names for https cannot be used") from None
    return cast("HTTPConnectionPool", pool)


def read_body(
    response: requests.Response, *, seconds: float, slowest: float = math.inf, most: int | None = None
) -> bytes:
    """Return what a response of a session holds, requested with `stream=True`. See `read_raw`."""
    return read_raw(response.raw, seconds=seconds, slowest=slowest, most=most)


def read_raw(
    response: BaseHTTPResponse, *, seconds: float, slowest: float = math.inf, most: int | None = None
) -> bytes:
    """Return what a response holds; one that drips is broken off.

    Piece by piece as it arrives: `stream` and `iter_content` come back only when a whole piece is there, so
    that a server could keep us for weeks.

    Args:
        response: Requested with `preload_content=False`.
        seconds: How long it may take at least.
        slowest: Octets per second at which it may take longer.
        most: Octets after which it is enough; the rest is not read.

    Raises:
        requests.exceptions.ReadTimeout: it took too long.
        urllib3.exceptions.HTTPError: the line broke, or the end is missing.
    """
    started, pieces, size = time.monotonic(), [], 0
    while piece := response.read1(_PIECE_OCTETS, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() - started > seconds + size / slowest:
            raise requests.exceptions.ReadTimeout
        if most is not None and size > most:
            break
    return b"".join(pieces)


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
