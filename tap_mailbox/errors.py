"""Everything that can go wrong in the tap; the class says what the caller should do.

TapError
├── ConfigError            nothing can start: tell the user, exit 1
├── StateError             nothing can start: the state file is not what the tap writes, exit 1
└── AccountError           this account ends here, the others go on, exit 3
    ├── CredentialError    the credential is missing, broken or refused: never retried (lock-outs)
    ├── PoliteStop         the server asked us to go away: stop without a retry
    └── Unavailable        the server or the line failed: retried with back-off, then the account ends

Stopped                    a signal asked the run to end
OutputGone                 nobody takes what we write: the run ends, exit 1
"""

from __future__ import annotations


class TapError(Exception):
    """Base of all errors of the tap; its text is one line for people."""


class ConfigError(TapError):
    """The configuration cannot be used; the text names the account and the key, never a value."""


class StateError(TapError):
    """The state cannot be used; the text names the place in it and what was expected there."""


class AccountError(TapError):
    """One account cannot be read (further); what was read before keeps its bookmark."""


class CredentialError(AccountError):
    """A credential is missing, unreadable or refused by the server."""


class PoliteStop(AccountError):
    """The server limits us ([OVERQUOTA], [THROTTLED], Retry-After): come back with the next run."""


class Unavailable(AccountError):
    """The server could not be reached or the connection broke; a new connection may help."""


class Throttled(Unavailable):
    """The server names a time before which it wants no further request (RFC 9110, section 10.2.3)."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class OutputGone(BaseException):
    """Stdout cannot be written. Not an `Exception`: no account is to blame, and none may go on."""


class Stopped(BaseException):
    """A signal asked the run to end. Not an `Exception`, so that no recovery path swallows it."""
