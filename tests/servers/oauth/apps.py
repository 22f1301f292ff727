"""`Apps`: the applications registered with `Entra`, which tenant may use them, and how they prove who they are."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.oauth.assertions import Unverified, thumbprints, verify
from tests.servers.oauth.faults import Refused
from tests.servers.oauth.scopes import CONSUMERS
from tests.servers.oauth.transport import Incoming

CONSUMERS_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"  # DOC: the tenant of all personal accounts
SHARED_TENANTS = {CONSUMERS, "common", "organizations"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class App:
    """An application as it is registered."""

    client_id: str
    tenant: str
    secret: str | None = field(default=None, repr=False)
    public: bool = False
    """A public client: it must not present a secret (700025)."""
    certificate: x509.Certificate | None = field(default=None, repr=False)
    app_permissions: bool = False
    """Whether an administrator consented to application permissions."""

    @property
    def tenant_id(self) -> str:
        """The tenant as a UUID."""
        return CONSUMERS_ID if self.tenant == CONSUMERS else str(uuid.uuid5(uuid.NAMESPACE_DNS, self.tenant))


class Apps:
    """Every application by its client id."""

    def __init__(self) -> None:
        self._apps: dict[str, App] = {}

    def add(self, app: App) -> App:
        """Register an application."""
        self._apps[app.client_id] = app
        return app

    def knows_tenant(self, tenant: str) -> bool:
        """Whether there is such a tenant."""
        return tenant in SHARED_TENANTS | {CONSUMERS_ID} | {app.tenant for app in self._apps.values()}

    def find(self, tenant: str, client_id: str) -> App:
        """Return the application, asked for at its own tenant.

        Raises:
            Refused: 700016 (DOC); 9002346 where one side is for personal accounts and the other is not (ISSUE).
        """
        app = self._apps.get(client_id)
        tenant = CONSUMERS if tenant == CONSUMERS_ID else tenant
        if app is None or (app.tenant != tenant and CONSUMERS not in {app.tenant, tenant}):
            raise Refused("unauthorized_client", codes=[700016])
        if app.tenant != tenant:
            raise Refused("invalid_request", codes=[9002346])
        return app

    def authenticate(self, app: App, incoming: Incoming, *, tenant_url: str) -> None:
        """Return if the application proved who it is: by its secret or its certificate, a public one by neither.

        Raises:
            Refused: `invalid_client` (DOC).
        """
        if app.public:
            if incoming.secret or "client_assertion" in incoming.form:
                raise Refused("invalid_client", codes=[700025])
        elif "client_assertion" in incoming.form:
            _verify_assertion(app, incoming.form, tenant_url)
        elif not incoming.secret:
            raise Refused("invalid_client", codes=[7000218])
        elif incoming.secret != app.secret:
            raise Refused("invalid_client", codes=[7000215])


def _verify_assertion(app: App, form: Mapping[str, str], tenant_url: str) -> None:
    if app.certificate is None or form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Refused("invalid_client", codes=[700027])
    key = app.certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey), "register an RSA certificate"
    audience = {f"{tenant_url}/oauth2/v2.0/token", f"{tenant_url}/v2.0"}
    try:
        claims = verify(
            form["client_assertion"], key, audience=audience, thumbprints=thumbprints(app.certificate)
        )
    except Unverified as problem:
        code = 700024 if str(problem) == "expired" else 700027
        raise Refused("invalid_client", str(problem), codes=[code]) from None
    if {claims.get("iss"), claims.get("sub")} != {app.client_id}:
        raise Refused("invalid_client", "issuer and subject", codes=[700021])
