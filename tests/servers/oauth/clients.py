"""Clients of `Entra`: the real MSAL, and a bare form for what MSAL would never send."""

from __future__ import annotations

from typing import Any

import msal
import requests
from cryptography.hazmat.primitives import hashes

from tests.servers.oauth.apps import App
from tests.servers.oauth.assertions import certificate, certificate_pem, private_pem, rsa_key
from tests.servers.oauth.entra import Entra


def msal_client(entra: Entra, app: App, session: requests.Session, credential: Any = None) -> Any:
    """Return MSAL's application for an app; without a credential a public one."""
    settings: dict[str, Any] = {
        "authority": entra.authority_of(app),
        "http_client": session,
        "instance_discovery": False,
    }
    if credential is None:
        return msal.PublicClientApplication(app.client_id, **settings)
    return msal.ConfidentialClientApplication(app.client_id, client_credential=credential, **settings)


def certificate_credential(owner: str, *, key: str | None = None, thumbprint: bool = False) -> dict[str, str]:
    """Return MSAL's credential for a certificate; *thumbprint*: by SHA-1 and RS256, else by SHA-256 and PS256.

    Args:
        owner: Whose certificate.
        key: Another owner, whose key signs: a forgery.
        thumbprint: Name the certificate instead of sending it.
    """
    private_key = private_pem(rsa_key(key or owner))
    if thumbprint:
        return {"private_key": private_key, "thumbprint": certificate(owner).fingerprint(hashes.SHA1()).hex()}
    return {"private_key": private_key, "public_certificate": certificate_pem(certificate(owner))}


def post(
    entra: Entra, session: requests.Session, app: App, endpoint: str = "token", **form: str
) -> tuple[int, dict[str, Any]]:
    """Send a form as it is; returns the status and the members of the answer."""
    url = f"{entra.authority_of(app)}/oauth2/v2.0/{endpoint}"
    answer = session.post(url, data={"client_id": app.client_id, **form}, timeout=10)
    return answer.status_code, answer.json()
