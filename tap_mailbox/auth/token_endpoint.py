"""Requests to token endpoints: a JSON object comes back, or we know why not.

msal, google-auth and our own grants all go through `TokenEndpoint`, so that one place says what is transient,
and that neither library retries, caches a failure or logs an answer (msal does log one that is no JSON).
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote_plus, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from tap_mailbox.errors import CredentialError, Throttled, Unavailable
from tap_mailbox.https import https_session, read_body
from tap_mailbox.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_mailbox.config import Account

MAX_ANSWER_BYTES = 1024 * 1024
"""No token endpoint says that much; whoever does is none."""
ANSWER_SECONDS = 60.0
"""For a body as a whole, whatever comes meanwhile; the token file is locked as long."""
LONGEST_FENCE_SECONDS = 3600.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint said, in the shape that msal expects of an HTTP client's response."""

    status_code: int
    headers: Mapping[str, str]
    text: str = field(repr=False)
    fields: Mapping[str, Any] = field(repr=False)

    def raise_for_status(self) -> None:
        """Do nothing: what msal raises for has been raised already."""


class TokenEndpoint:
    """Connections to *url* and its neighbours on the same host, closed at the end of the `with` block.

    Raises (every request):
        Unavailable: no connection, no answer in time, 408, 429, 5xx, a redirect, or an answer that is no JSON
            object. Redirects are not followed: they would carry a secret elsewhere.
        CredentialError: the certificate is not trusted, or the request is for another host (msal asks where
            the authority's own description sends it).
    """

    def __init__(self, url: str, account: Account) -> None:
        self._origin = _origin(https_only(url))
        self.label = urlsplit(url).netloc
        self._session = https_session(url, ca_file=account.ca_file)
        server = account.imap or account.graph
        self._timeout = (server.connect_timeout, server.read_timeout) if server else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(
        self, url: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to a GET."""
        return self._ask("GET", url, params=params, headers=headers)

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, Any] | bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a POST of form fields."""
        return self._ask("POST", url, data=data, params=params, headers=headers, auth=auth)

    def grant(self, url: str, fields: Mapping[str, str], *, client: str, secret: str | None) -> Answer:
        """Return the answer to a grant request.

        The secret goes in the body, and where that is not taken, in the header:
        RFC 6749, section 2.3.1 has the header for the rule; more providers take the body.
        """
        own = {"client_id": client, **({"client_secret": secret} if secret else {})}
        as_json = {"Accept": "application/json"}
        answer = self.post(url, data={**fields, **own}, headers=as_json)
        if secret and answer.fields.get("error") == "invalid_client":
            answer = self.post(
                url, data=fields, headers=as_json, auth=(quote_plus(client), quote_plus(secret))
            )
        return answer

    def _ask(self, method: str, url: str, **request: Any) -> Answer:  # noqa: ANN401  # requests' own
        if _origin(https_only(url)) != self._origin:
            raise CredentialError(f"{self.label} sends us to another host for tokens; not followed")
        try:
            with self._session.request(
                method, url, timeout=self._timeout, allow_redirects=False, stream=True, **request
            ) as response:
                body = read_body(response, seconds=ANSWER_SECONDS, most=MAX_ANSWER_BYTES)
        except requests.exceptions.SSLError as error:
            raise self._tls_failure(error) from None
        except (requests.exceptions.Timeout, ReadTimeoutError):
            raise Unavailable(f"{self.label}: no answer in time") from None
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            # Not the error's own words: they may quote the request.
            raise Unavailable(f"{self.label}: no connection ({type(error).__name__})") from None
        return self._read(response, body)

    def _tls_failure(self, error: BaseException) -> CredentialError | Unavailable:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return CredentialError(
                    f"{self.label}: the server's certificate is not trusted ({cause.verify_message}); name "
                    "its authority in ca_file if the server is right"
                )
            reasons = [each for each in cause.args if isinstance(each, BaseException)]
            cause = getattr(cause, "reason", None) or cause.__context__ or next(iter(reasons), None)
        return Unavailable(f"{self.label}: TLS failed")

    def _read(self, response: requests.Response, body: bytes) -> Answer:
        status = response.status_code
        if status == requests.codes.too_many_requests:
            seconds = min(retry_after(response.headers) or 0.0, LONGEST_FENCE_SECONDS)
            raise Throttled(f"{self.label}: too many requests (429), asks for {seconds:.0f} s", seconds)
        if status >= 500 or status == requests.codes.request_timeout:
            raise Unavailable(f"{self.label}: the service failed ({status})")
        if 300 <= status < 400:
            raise Unavailable(f"{self.label}: redirects elsewhere ({status}), which is not followed")
        try:
            text = body.decode()
            fields = json.loads(text) if len(body) <= MAX_ANSWER_BYTES else None
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise Unavailable(f"{self.label}: the answer ({status}) is no JSON object")
        return Answer(status, dict(response.headers), text, fields)


def https_only(url: str) -> str:
    """Return *url*; RFC 6749, section 3.2 demands TLS, which nothing but this machine's own servers may lack.

    Raises:
        CredentialError: it is another one.
    """
    scheme, host, _ = _origin(url)
    # A user name is sent as another Authorization; what stands before a backslash urllib3 takes for the host.
    plain = host and not {"@", "\\"} & set(urlsplit(url).netloc)
    if plain and (scheme == "https" or (scheme == "http" and host in _LOOPBACK)):
        return url
    raise CredentialError(
        f"{host or 'a URL without a host'}: tokens are asked for over https alone, and without a user name "
        "in the URL; check it"
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port
