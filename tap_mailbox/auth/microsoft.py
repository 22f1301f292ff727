"""Microsoft: access tokens through msal, for a person (token file) or an application (secret or certificate).

Each renewal has a client of its own, since msal's would answer the next one from its caches: a failure for
60 seconds, and the very token that was refused. Tokens are never decoded: personal accounts have opaque ones.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_mailbox.auth.bearer import BearerCredential
from tap_mailbox.auth.json_file import json_object, text_of
from tap_mailbox.auth.refusals import numbers_of, refusal
from tap_mailbox.auth.token_endpoint import TokenEndpoint
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.auth.tokens import Tokens
from tap_mailbox.errors import CredentialError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tap_mailbox.config import Account, AuthMethod

GRAPH_HOSTS = frozenset(
    {
        "graph.microsoft.com",
        "graph.microsoft.us",
        "dod-graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
    }
)
"""Of the clouds; a token of one is worth nothing in another, so its scope names the host."""
IMAP_SCOPE = "https://outlook.office.com/IMAP.AccessAsUser.All"
IMAP_APPLICATION_SCOPE = "https://outlook.office365.com/.default"
RESERVED_SCOPES = frozenset({"offline_access", "openid", "profile"})
"""msal adds them itself, and refuses to be given them."""
SHARED_TENANTS = frozenset({"common", "organizations", "consumers"})
"""Those of persons: an application has permissions in a tenant of its own."""
CLIENT_IS_PUBLIC = 700025
_APP_FILE = "application file"
_EXPECTED = '{"client_id": …, "client_secret": … or "certificate_file": …, "tenant_id": …}'
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application registered with Microsoft."""

    client_id: str
    tenant: str
    authority: str
    """With the tenant, as msal wants it."""
    secret: str | Mapping[str, str] | None = field(repr=False)
    """msal's client credential: a secret, or a key and the thumbprint of its certificate; None: public."""


def application(account: Account, method: AuthMethod) -> Application:
    """Return the application that *method* names, from its file or its own keys.

    Raises:
        CredentialError: a file is missing or incomplete.
    """
    fields: dict[str, Any] = {}
    client_id, secret = method.client_id or "", method.client_secret or None
    certificate: Mapping[str, str] | None = None
    if method.app_file is not None:
        fields = json_object(method.app_file, what=_APP_FILE, expected=_EXPECTED)
        client_id = text_of(fields, "client_id", path=method.app_file, what=_APP_FILE, expected=_EXPECTED)
        secret = fields.get("client_secret") or None
        if name := fields.get("certificate_file"):
            certificate = _certificate(method.app_file.parent / str(name), fields.get("passphrase"))
    tenant = str(method.tenant_id or fields.get("tenant_id") or "common")
    if not _TENANT.fullmatch(tenant):
        raise CredentialError("tenant_id is neither an id nor a domain; check it")
    return Application(
        client_id=client_id,
        tenant=tenant,
        authority=f"{account.authority}/{tenant}",
        secret=certificate or (str(secret) if secret else None),
    )


def scopes(account: Account, method: AuthMethod) -> list[str]:
    """Return what tokens are asked for, fully qualified, without the scopes that msal adds."""
    if method.scope:
        return [each for each in method.scope.split() if each not in RESERVED_SCOPES]
    if account.graph is None:
        return [IMAP_SCOPE if method.token_file else IMAP_APPLICATION_SCOPE]
    host = urlsplit(account.graph.url).hostname
    resource = f"https://{host if host in GRAPH_HOSTS else 'graph.microsoft.com'}"
    return [f"{resource}/Mail.Read" if method.token_file else f"{resource}/.default"]


def msal_client(app: Application, endpoint: TokenEndpoint, *, public: bool) -> Any:  # noqa: ANN401  # untyped
    """Return a `msal.PublicClientApplication` or a `msal.ConfidentialClientApplication` that asks *endpoint*.

    Raises:
        CredentialError: the authority or the tenant does not exist.
        Unavailable: it cannot be asked now.
    """
    # Here, for its 200 ms need not be paid by a run with a live token.
    import msal  # noqa: PLC0415

    # It logs requests and answers, and an answer holds tokens.
    logging.getLogger("msal").setLevel(logging.CRITICAL)
    try:
        # Instance discovery asks login.microsoftonline.com whether a host is one of Microsoft's; the
        # configuration says which host to trust.
        if public:
            return msal.PublicClientApplication(
                app.client_id, authority=app.authority, http_client=endpoint, instance_discovery=False
            )
        return msal.ConfidentialClientApplication(
            app.client_id,
            client_credential=app.secret,
            authority=app.authority,
            http_client=endpoint,
            instance_discovery=False,
        )
    except LookupError:
        raise Unavailable(
            f"{endpoint.label}: the description of tenant {app.tenant!r} is incomplete"
        ) from None
    except ValueError:
        raise CredentialError(
            f"{endpoint.label} has no tenant {app.tenant!r}, or is no https authority; check tenant_id and "
            "authority"
        ) from None


class MicrosoftCredential(BearerCredential):
    """Tokens of a person or an application. See `BearerCredential`."""

    def __init__(self, account: Account, method: AuthMethod) -> None:
        self._account = account
        self._app = application(account, method)
        self._scopes = scopes(account, method)
        super().__init__(
            username=method.username or account.email,
            client=self._app.client_id,
            scope=" ".join(self._scopes),
            token_file=TokenFile(method.token_file) if method.token_file else None,
        )
        if not self.delegated and self._app.secret is None:
            raise CredentialError(
                "without token_file the application signs in as itself, which takes a client_secret or a "
                "certificate_file"
            )
        if not self.delegated and self._app.tenant in SHARED_TENANTS:
            raise CredentialError(
                "without token_file the application signs in as itself, and tenant_id "
                f"{self._app.tenant!r} grants nothing to applications; set the organisation's"
            )

    def _request(self, refresh_token: str | None) -> Tokens:
        asked = datetime.now(UTC)
        with TokenEndpoint(self._app.authority, self._account) as endpoint:
            answer = self._answer(endpoint, refresh_token, public=self._app.secret is None)
            if self.delegated and self._app.secret is not None and CLIENT_IS_PUBLIC in numbers_of(answer):
                # The legacy system stored a secret beside applications that have none.
                answer = self._answer(endpoint, refresh_token, public=True)
        if "access_token" in answer:
            return Tokens.answered(answer, asked=asked)
        raise refusal(answer, account=self._account.name)

    def _answer(
        self, endpoint: TokenEndpoint, refresh_token: str | None, *, public: bool
    ) -> Mapping[str, Any]:
        client = msal_client(self._app, endpoint, public=public)
        answer: Mapping[str, Any]
        if refresh_token is None:
            answer = client.acquire_token_for_client(self._scopes)
        else:
            answer = client.acquire_token_by_refresh_token(refresh_token, self._scopes)
        return answer


def _certificate(path: Path, passphrase: object) -> Mapping[str, str]:
    """Return the private key and the thumbprint of a PEM file with a key and its certificate."""
    from cryptography import x509  # noqa: PLC0415  # 60 ms that most runs need not pay
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415

    try:
        pem = path.read_bytes()
        key = serialization.load_pem_private_key(pem, str(passphrase).encode() if passphrase else None)
        certificate = x509.load_pem_x509_certificate(pem)
    except OSError as error:
        raise CredentialError(f"certificate file {path} cannot be read ({error.strerror})") from None
    except (TypeError, ValueError):
        raise CredentialError(
            f"certificate file {path} is no PEM with a private key and its certificate, or passphrase does "
            "not open it"
        ) from None
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # By it Microsoft finds the certificate (RFC 7515, section 4.1.7); nothing is signed with it.
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303  # a name, no protection
    return {"private_key": private.decode(), "thumbprint": thumbprint}
