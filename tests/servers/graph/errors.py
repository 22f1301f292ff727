"""What Graph answers when it refuses: status, `error.code`, message."""

from __future__ import annotations

from collections.abc import Mapping


class GraphError(Exception):
    """A refusal; whoever handles the request raises it, the server writes it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        empty: bool = False,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})
        self.empty = empty


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    """Return a 400."""
    return GraphError(400, code, message)


def unknown_property(name: str) -> GraphError:
    """Return what an unknown name in `$select` brings [ISSUE OpenArchiver#44, for `@removed`]."""
    return bad_request(f"Could not find a property named '{name}'.", "RequestBroker--ParseUri")


def not_found() -> GraphError:
    """Return what an unknown id brings (S3) [ISSUE corso#2861]."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def access_denied() -> GraphError:
    """Return a 403 [DOC auth-limit-mailbox-access]."""
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def invalid_token(message: str = "Access token is empty or not valid.") -> GraphError:
    """Return a 401; whoever gets it may refresh its token once [DOC errors]."""
    challenge = 'Bearer realm="", authorization_uri="https://login.invalid/common/oauth2/authorize"'
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})


def mailbox_not_enabled() -> GraphError:
    """Return what a user without a mailbox brings (F3) [ISSUE, many]."""
    return GraphError(404, "MailboxNotEnabledForRESTAPI", "REST API is not yet supported for this mailbox.")


def not_supported() -> GraphError:
    """Return a 405, as for `$value` through mailFolders (E5) [ISSUE contrib#5546, contrib#2755]."""
    return GraphError(405, "ErrorInvalidRequest", "The OData request is not supported.")
