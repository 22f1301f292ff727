"""What a token endpoint's refusal means, and the next step.

Decided by `error` (RFC 6749's words and Google's) and by Microsoft's numbers, which
https://learn.microsoft.com/entra/identity-platform/reference-error-codes explains. Descriptions stay out of
our texts: they name people, and whatever a server repeats of a request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import CredentialError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_mailbox.errors import AccountError

TRANSIENT = frozenset({"temporarily_unavailable", "server_error", "internal_failure"})
_TRANSIENT_NUMBERS = frozenset({90006, 90012, 90033})
"""ExternalServerRetryableError, RequestTimeout, MsodsServiceUnavailable."""

_SIGN_IN = "sign in again: `mailbox login {account}`"
_MEANINGS: Mapping[str, str] = {
    "access_denied": f"access was denied, perhaps by the organisation's administrator; {_SIGN_IN}",
    "admin_policy_enforced": "the organisation's policy forbids it; its administrator can allow the client",
    "consent_required": f"the permission has not been consented to; {_SIGN_IN}",
    "deleted_client": f"the OAuth client was deleted; create another, then {_SIGN_IN}",
    "disabled_client": "the OAuth client is disabled; see the provider's console",
    "interaction_required": f"a person has to answer a question; {_SIGN_IN}",
    "invalid_client": "the client id or its secret is wrong; compare both with the provider's console",
    "invalid_grant": f"the refresh token is expired, revoked, or of another client; {_SIGN_IN}",
    "invalid_rapt": f"the organisation asks for a new sign-in from time to time; {_SIGN_IN}",
    "invalid_request": "the request is not as the provider expects; check token_url, client id and scope",
    "invalid_scope": f"the scope is unknown or more than was consented to; check scope, or {_SIGN_IN}",
    "invalid_tenant": "there is no such tenant; check tenant_id",
    "login_required": f"the session has ended; {_SIGN_IN}",
    "org_internal": "the OAuth client is for members of its own organisation only",
    "rapt_required": f"the organisation asks for a new sign-in from time to time; {_SIGN_IN}",
    "unauthorized_client": "the client may not use this grant; check its registration with the provider",
    "unsupported_grant_type": "the provider does not know this way of asking; check token_url",
}
_PUBLIC = "its public client flows are not allowed (the application needs a client secret then)"
_NUMBERS: Mapping[int, str] = {
    28000: "scope names more than one resource; name one",
    50020: "the person is no member of the tenant; check tenant_id (personal accounts: consumers)",
    50034: "the tenant does not know the person; check tenant_id (personal accounts: consumers)",
    50055: f"the password has expired; set a new one, then {_SIGN_IN}",
    50057: "the account is disabled; its administrator can enable it",
    50059: "tenant_id is missing, or is none that grants application permission; name the organisation's",
    50074: f"multi-factor authentication is asked for; {_SIGN_IN}",
    50076: f"multi-factor authentication is asked for; {_SIGN_IN}",
    50078: f"multi-factor authentication has expired; {_SIGN_IN}",
    50079: f"multi-factor authentication has to be set up; {_SIGN_IN}",
    50132: f"the session was ended by a new password or an administrator; {_SIGN_IN}",
    50133: f"the session was ended by a new password; {_SIGN_IN}",
    50173: f"the sign-in was revoked, as a new password does; {_SIGN_IN}",
    50194: "the application is for one tenant; set tenant_id to it",
    53003: "conditional access blocks the sign-in; the organisation's administrator can allow it",
    65001: f"the permission has not been consented to; {_SIGN_IN}, or have the administrator consent",
    70000: f"the refresh token is not valid, was revoked, or is for other permissions; {_SIGN_IN}",
    70008: f"the refresh token has expired; {_SIGN_IN}",
    70011: "scope is not valid; leave it out, or name permissions of one resource in full",
    70043: f"the organisation asks for a new sign-in from time to time; {_SIGN_IN}",
    90002: "there is no such tenant; check tenant_id",
    700016: "the tenant does not know the application; check client_id and tenant_id",
    700024: "the certificate's assertion is out of date; check this machine's clock",
    700027: "the certificate is not the one registered; upload it to the application, or name the right file",
    700038: "client_id is no application; check it",
    700082: f"the refresh token expired, not having been used for 90 days; {_SIGN_IN}",
    700084: f"a single-page application's refresh token lasts a day; register a desktop one, then {_SIGN_IN}",
    900023: "tenant_id is no tenant's name; check it",
    1000502: "the certificate is outside its validity period; create another and upload it",
    1002012: "scope must be a resource followed by /.default under application permission",
    7000215: "the client secret is wrong; it must be the secret's value, not its id",
    7000218: f"the application must present a client secret, or {_PUBLIC}",
    7000222: "the client secret has expired; create another one and put its value into the configuration",
    9002332: "the application is for work accounts only; set tenant_id to the organisation's",
    9002346: "the application is for personal accounts only; set tenant_id: consumers",
}
_NUMBER = re.compile(r"AADSTS(\d{3,8})\b")


def numbers_of(answer: Mapping[str, Any]) -> list[int]:
    """Return Microsoft's error numbers in an answer; older services give them in the description alone."""
    codes = answer.get("error_codes")
    if isinstance(codes, list) and (found := [code for code in codes if type(code) is int]):
        return found
    return [int(number) for number in _NUMBER.findall(str(answer.get("error_description", "")))[:1]]


def refusal(
    answer: Mapping[str, Any], *, account: str, meanings: Mapping[str, str] | None = None
) -> AccountError:
    """Return the error for a refused request (RFC 6749, section 5.2) of *account*.

    Args:
        answer: The endpoint's JSON object.
        account: Its name, for `mailbox login`.
        meanings: What some `error` values mean here rather than in general.
    """
    error, numbers = answer.get("error"), numbers_of(answer)
    known = {**_MEANINGS, **(meanings or {})}
    # Google says invalid_grant, and the rest beside it; any other word is not ours to show.
    words = [word for word in (answer.get("error_subtype"), error) if isinstance(word, str) and word in known]
    label = ", ".join([*(words[-1:] or ["unknown error"]), *(f"AADSTS{number}" for number in numbers[:1])])
    if (isinstance(error, str) and error in TRANSIENT) or _TRANSIENT_NUMBERS & set(numbers):
        return Unavailable(f"the token endpoint cannot answer now ({label})")
    found = [_NUMBERS[number] for number in numbers if number in _NUMBERS] + [known[word] for word in words]
    step = found[0] if found else f"see the provider's sign-in log, or {_SIGN_IN}"
    return CredentialError(f"no token ({label}): {step.format(account=account)}")
