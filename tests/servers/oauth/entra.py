"""`Entra`: the Microsoft identity platform (v2.0) on loopback, stateful and strict.

    with Entra() as entra:
        app = entra.new_app(tenant="consumers", secret=None, public=True)
        refresh_token = entra.new_refresh_token(app, user="ann@outlook.example")
        client = msal.PublicClientApplication(app.client_id, authority=entra.authority_of(app), ...)

An MSAL client has to be told `instance_discovery=False` and to trust `ca_file`. Rules are tagged DOC (Microsoft's
documents), ISSUE (seen by others) or INVENTED (ours, where no source says).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cryptography import x509

from tests.servers.oauth import aadsts
from tests.servers.oauth.apps import SHARED_TENANTS, App, Apps
from tests.servers.oauth.assertions import encode, rsa_key, sign
from tests.servers.oauth.device import DeviceCodes
from tests.servers.oauth.faults import Refused, Reply
from tests.servers.oauth.scopes import CONSUMERS, MAIL_READ, Requested, parse_scopes
from tests.servers.oauth.service import Service
from tests.servers.oauth.tokens import Authorization, Grant, Tokens
from tests.servers.oauth.transport import Incoming

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Entra(Service):
    """A running identity platform.

    Attributes:
        single_use: A refresh token is good for one renewal (INVENTED, to expose races; as documented, the old
            one stays valid).
        expires_in: Seconds that new access tokens live.
        refreshes: How many refresh tokens were redeemed.
        device: Interval and lifetime of device codes.
    """

    def __init__(self, *, single_use: bool = False) -> None:
        self.single_use = single_use
        self.expires_in = 3600
        self.refreshes = 0
        self.device = DeviceCodes()
        self._apps = Apps()
        self._tokens = Tokens()
        super().__init__()

    @property
    def authority(self) -> str:
        """Return what stands for https://login.microsoftonline.com."""
        return self.url

    def authority_of(self, app: App) -> str:
        """Return the authority with the tenant, as MSAL wants it."""
        return f"{self.url}/{app.tenant}"

    # --- what is registered and given out ---------------------------------------------------------------

    def new_app(
        self,
        tenant: str = CONSUMERS,
        secret: str | None = "fake-secret",
        *,
        public: bool = False,
        certificate: x509.Certificate | None = None,
        app_permissions: bool = False,
    ) -> App:
        """Register an application; *tenant* is `consumers`, or the name or id of an organisation."""
        secret = None if public else secret
        return self._apps.add(App(_uuid(), tenant, secret, public, certificate, app_permissions))

    def new_refresh_token(
        self, app: App, user: str = "ann@outlook.example", scopes: Sequence[str] = MAIL_READ
    ) -> str:
        """Return a refresh token as an earlier sign-in left it; *scopes* are what the user consented to."""
        return self._tokens.new_refresh(self._authorization(app, user, scopes))

    def new_access_token(
        self,
        app: App,
        user: str = "ann@outlook.example",
        scopes: Sequence[str] = MAIL_READ,
        *,
        expires_in: float = 3600,
    ) -> str:
        """Return an access token as an earlier sign-in left it; 0 seconds: an expired one."""
        return self._tokens.new_access(self._authorization(app, user, scopes), expires_in)

    def approve(self, user_code: str, user: str = "ann@outlook.example") -> None:
        """Enter the code of a device and sign in."""
        self.device.approve(user_code, user)

    def decline(self, user_code: str) -> None:
        """Enter the code of a device and say no."""
        self.device.decline(user_code)

    def check(self, token: str, audience: str | None = None) -> Grant | None:
        """Return what a live access token permits; None for any other, or when it is for another audience."""
        grant = self._tokens.check(token)
        return grant if grant and audience in {None, grant.audience} else None

    def revoke(self, user: str) -> None:
        """End all sign-ins of the user, as a new password does: 50173 from now on, 70000 for a personal one."""
        self._tokens.revoke_all(lambda grant: grant.mailbox == user)

    # --- endpoints --------------------------------------------------------------------------------------

    def answer(self, incoming: Incoming) -> Reply:
        """Return the answer of the endpoint the path names."""
        tenant, _, endpoint = incoming.path.lstrip("/").partition("/")
        match incoming.method, endpoint:
            case "GET", "v2.0/.well-known/openid-configuration":
                return self._configuration(tenant)
            case "GET", "discovery/instance" if tenant == "common":
                return self._instances(incoming)
            case "POST", "oauth2/v2.0/token":
                return Reply.json(self._token(tenant, incoming))
            case "POST", "oauth2/v2.0/devicecode":
                return Reply.json(self._device_code(tenant, incoming))
            case _:
                return Reply(404)

    def refusal(self, refused: Refused) -> Reply:
        """Return the answer that says so, in Microsoft's form (DOC)."""
        return aadsts.refusal(refused)

    def _configuration(self, tenant: str) -> Reply:
        if not self._apps.knows_tenant(tenant):
            raise Refused("invalid_tenant", codes=[90002])
        base = f"{self.url}/{tenant}"
        return Reply.json(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def _instances(self, incoming: Incoming) -> Reply:
        tenant = incoming.query.get("authorization_endpoint", "").removeprefix(f"{self.url}/").split("/")[0]
        here = f"{self.host}:{self.port}"
        return Reply.json(
            {
                "tenant_discovery_endpoint": f"{self.url}/{tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": here, "preferred_cache": here, "aliases": [here]}],
            }
        )

    def _device_code(self, tenant: str, incoming: Incoming) -> dict[str, Any]:
        app = self._apps.find(tenant, incoming.client_id)
        requested = parse_scopes(incoming.form.get("scope", ""), app.tenant)
        device_code, user_code = self.device.new(
            app.client_id, (*requested.resource_scopes, *requested.reserved)
        )
        page = f"{self.url}/devicelogin"
        return {
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": page,
            "expires_in": self.device.expires_in,
            "interval": self.device.interval,
            "message": f"To sign in, open the page {page} and enter the code {user_code}.",
        }

    def _token(self, tenant: str, incoming: Incoming) -> dict[str, Any]:
        form = incoming.form
        app = self._apps.find(tenant, incoming.client_id)
        self._apps.authenticate(app, incoming, tenant_url=f"{self.url}/{tenant}")
        match form.get("grant_type"):
            case "refresh_token":
                return self._refresh(app, form)
            case "client_credentials":
                return self._client_credentials(app, form)
            case grant_type if grant_type == DEVICE_CODE_GRANT:
                user, scopes = self.device.redeem(form.get("device_code", ""), app.client_id)
                requested = parse_scopes(" ".join(scopes), app.tenant)
                return self._delegated(app, self._authorization(app, user, scopes), requested, form)
            case None:
                raise Refused("invalid_request", codes=[900144])
            case _:
                raise Refused("unsupported_grant_type", codes=[70003])

    # --- grants -----------------------------------------------------------------------------------------

    def _refresh(self, app: App, form: Mapping[str, str]) -> dict[str, Any]:
        refresh_token = form.get("refresh_token", "")
        authorization = self._tokens.authorization(refresh_token)
        if authorization is None or authorization.grant.app_id != app.client_id:
            raise Refused("invalid_grant", codes=[70000])
        if authorization.revoked:  # ISSUE: personal accounts have one code for it all
            raise Refused("invalid_grant", codes=[70000 if app.tenant == CONSUMERS else 50173])
        consented = parse_scopes(" ".join(authorization.grant.scopes), app.tenant, several_resources=True)
        requested = consented if "scope" not in form else parse_scopes(form["scope"], app.tenant)
        answer = self._delegated(app, authorization, requested.within(consented), form)
        if self.single_use:
            self._tokens.use_up(refresh_token)
        self.refreshes += 1
        return answer

    def _client_credentials(self, app: App, form: Mapping[str, str]) -> dict[str, Any]:
        # DOC: there are no application permissions for personal accounts.
        if app.public or app.tenant in SHARED_TENANTS:
            raise Refused("unauthorized_client", codes=[50059])
        resource, _, name = form.get("scope", "").rpartition("/")
        if name != ".default" or " " in resource or "://" not in resource:
            raise Refused("invalid_scope", codes=[1002012])
        # Without consent there is a token all the same, but it permits nothing (DOC: no `roles` claim).
        scopes = (form["scope"],) if app.app_permissions else ()
        grant = Grant(None, app.client_id, scopes, audience=resource)
        return self._access(Authorization(grant), grant, app)  # DOC: no scope, no refresh token

    def _delegated(
        self, app: App, authorization: Authorization, requested: Requested, form: Mapping[str, str]
    ) -> dict[str, Any]:
        grant = replace(authorization.grant, scopes=requested.resource_scopes, audience=requested.audience)
        answer = self._access(authorization, grant, app)
        answer["scope"] = " ".join(grant.scopes)
        if "offline_access" in requested.reserved:  # DOC: only where it was asked for
            answer["refresh_token"] = self._tokens.new_refresh(authorization)
        if "openid" in requested.reserved:
            answer["id_token"] = self._id_token(grant, app)
        if "client_info" in form:
            person = {"uid": _uuid(str(grant.mailbox)), "utid": app.tenant_id}
            answer["client_info"] = encode(json.dumps(person).encode())
        return answer

    def _access(self, authorization: Authorization, grant: Grant, app: App) -> dict[str, Any]:
        text = None if app.tenant == CONSUMERS else sign(self._claims(grant, app), rsa_key("entra"))
        token = self._tokens.new_access(authorization, self.expires_in, grant, text)
        lifetime = {"expires_in": self.expires_in, "ext_expires_in": self.expires_in}
        return {"token_type": "Bearer", **lifetime, "access_token": token}

    def _id_token(self, grant: Grant, app: App) -> str:
        person = {"preferred_username": grant.mailbox, "name": "Ann Example", "ver": "2.0"}
        return sign({**self._claims(grant, app), "aud": app.client_id, **person}, rsa_key("entra"))

    def _claims(self, grant: Grant, app: App) -> dict[str, Any]:
        now = int(time.time())
        who = _uuid(grant.mailbox or app.client_id)
        return {
            "iss": f"{self.url}/{app.tenant_id}/v2.0", "aud": grant.audience, "tid": app.tenant_id,
            "iat": now, "nbf": now, "exp": now + self.expires_in, "sub": who, "oid": who, "uti": _uuid(),
            "appid": app.client_id,
        }  # fmt: skip

    def _authorization(self, app: App, user: str, scopes: Sequence[str]) -> Authorization:
        requested = parse_scopes(" ".join(scopes), app.tenant, several_resources=True)
        every = (*requested.resource_scopes, *requested.reserved)
        return Authorization(Grant(user, app.client_id, every, requested.audience))


def _uuid(name: str | None = None) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name) if name else uuid.uuid4())
