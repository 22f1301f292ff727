"""`refusal`: an error in the form of Microsoft's token endpoint, with its number and what the number means."""

from __future__ import annotations

import time
import uuid

from tests.servers.oauth.faults import Refused, Reply

MEANINGS = {
    28000: "The scope names more than one resource.",
    50059: "No tenant-identifying information found in either the request or implied by any provided credentials.",
    50076: "Due to a change of configuration, multi-factor authentication is needed to access the resource.",
    50173: "The grant has expired because it was revoked; a fresh sign-in is needed.",
    65001: "The user or administrator has not consented to use the application.",
    70000: "The user could not be authenticated, or the grant is expired.",
    70003: "The grant type is not supported.",
    70011: "The scope is not valid.",
    70016: "The device code is pending.",
    70017: "The person declined.",
    70018: "The verification code is not valid.",
    70020: "The device code has expired.",
    90002: "The tenant was not found.",
    700016: "The application was not found in the directory.",
    700021: "Issuer and subject of the client assertion are not the application.",
    700024: "The client assertion is not within its valid time range.",
    700025: "The client is public, so neither client_assertion nor client_secret should be presented.",
    700027: "The client assertion failed signature validation.",
    700082: "The refresh token has expired due to inactivity.",
    900144: "The request body must contain the parameter grant_type.",
    1002012: "The scope of client credentials has to be a resource with /.default.",
    7000215: "Invalid client secret provided.",
    7000218: "The request body must contain client_assertion or client_secret.",
    9002346: "The application is for personal accounts only, or the tenant is; use the endpoint of its own.",
}


def refusal(refused: Refused) -> Reply:
    """Return the answer, with trace id, correlation id and time as the real one has them."""
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    timestamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    number = "".join(f"AADSTS{code}: " for code in refused.codes[:1])
    meaning = " ".join(MEANINGS.get(code, "") for code in refused.codes[:1])
    text = f"{number}{meaning} {refused.description}".strip()
    members = {
        "error": refused.error,
        "error_description": f"{text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
        "error_codes": list(refused.codes),
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    if refused.codes:
        members["error_uri"] = f"https://login.microsoftonline.com/error?code={refused.codes[0]}"
    return Reply.json({**members, **refused.members}, refused.status)
