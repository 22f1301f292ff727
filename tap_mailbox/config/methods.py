"""One entry of `auth`, checked: which keys a method needs, and what it takes from the account around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_mailbox.config.providers import PROVIDERS
from tap_mailbox.config.urls import https_url
from tap_mailbox.config.values import AuthMethod
from tap_mailbox.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PASSWORD_SOURCES = ("password", "password_command", "credential_file")
_CLIENTS = ("client_file", "client_id", "service_account_file")
_FILES = ("credential_file", "client_file", "token_file", "app_file", "service_account_file")

_URLS = ("auth_url", "token_url", "revoke_url")


def auth_method(account: Mapping[str, Any], entry: Mapping[str, Any], base: Path) -> AuthMethod:
    """Return the sign-in method *entry* of *account*; relative files start at *base*.

    Raises:
        ConfigError: keys are missing or exclude each other, or a URL is not https.
    """
    name, method = account["name"], entry["method"]
    preset = PROVIDERS.get(account["provider"] or "", {})
    if problem := _problem(entry, account, preset) or _nobody(entry, account):
        raise ConfigError(f"account {name!r}: auth method {method} {problem}")
    for key, url in (("token_uri", account["token_uri"]), *((key, entry[key]) for key in _URLS)):
        if url:
            https_url(name, key, url)
    # A client file brings endpoints of its own.
    own_endpoints = entry["client_file"] is not None
    token_url = entry["token_url"] or account["token_uri"]
    if not own_endpoints:
        token_url = token_url or preset.get("token_url")
    command = entry["password_command"]
    return AuthMethod(
        method=method,
        username=entry["username"],
        password=entry["password"] or None,
        password_command=tuple(command) if command else None,
        client_id=entry["client_id"],
        client_secret=entry["client_secret"],
        tenant_id=entry["tenant_id"],
        scope=entry["scope"] or (preset.get("scope") if method == "xoauth2" else None),
        auth_url=entry["auth_url"] or (None if own_endpoints else preset.get("auth_url")),
        token_url=token_url,
        # Nobody but who gave a token is told it.
        revoke_url=entry["revoke_url"]
        or (preset.get("revoke_url") if token_url == preset.get("token_url") else None),
        **{key: file_at(base, entry[key]) for key in _FILES},
    )


def _problem(entry: Mapping[str, Any], account: Mapping[str, Any], preset: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a method's keys."""
    if account["protocol"] == "graph" and entry["method"] != "msal":
        return "does not work with protocol graph; expected msal"
    match entry["method"]:
        case "password":
            given = [key for key in _PASSWORD_SOURCES if entry[key]]
            if len(given) == 1:
                return None
            return (
                f"needs exactly one of {', '.join(_PASSWORD_SOURCES)}, "
                f"found {', '.join(given) or 'none'} (an unset $VARIABLE counts as none)"
            )
        case "msal":
            one = bool(entry["app_file"]) != bool(entry["client_id"])
            return None if one else "needs the application: exactly one of app_file and client_id"
        case _:
            return _xoauth2_problem(
                entry, entry["token_url"] or account["token_uri"] or preset.get("token_url")
            )


def _nobody(entry: Mapping[str, Any], account: Mapping[str, Any]) -> str | None:
    """Return what is wrong where nobody is named to sign in as; a credential file may name somebody."""
    in_file = entry["method"] == "password" and entry["credential_file"]
    if account["protocol"] != "imap" or entry["username"] or account["email"] or in_file:
        return None
    return "has no user name: set email on the account or username on the method"


def _xoauth2_problem(entry: Mapping[str, Any], endpoint: str | None) -> str | None:
    if [bool(entry[key]) for key in _CLIENTS].count(True) != 1:
        return f"needs exactly one of {', '.join(_CLIENTS)}"
    if entry["client_id"] and not endpoint:
        return "needs token_url beside client_id, or a provider that has one"
    if not entry["token_file"] and not (entry["service_account_file"] or entry["client_secret"]):
        return "needs token_file (or client_secret beside client_id, to sign in as the application)"
    return None


def file_at(base: Path, value: str | None) -> Path | None:
    """Return the absolute path of a `*_file` setting; relative ones start at credentials_dir."""
    return None if not value else (base / Path(value).expanduser()).absolute()
