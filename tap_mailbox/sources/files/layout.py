"""What a file is: decided by its name and its first octets, never by reading it whole."""

from __future__ import annotations

import enum
import re

from tap_mailbox.sources.files.separator import is_separator

HEAD_BYTES = 16 * 1024  # Trace fields and DKIM signatures may fill several KiB before From or Date comes.

_BOM = b"\xef\xbb\xbf"
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
# RFC 5322, section 3.6, and what mail systems add on top. A text that merely begins with "Note: " has none.
_MAIL_FIELDS = frozenset(
    b"bcc cc content-type date delivered-to envelope-to from in-reply-to message-id mime-version received "
    b"references reply-to resent-date resent-from return-path sender subject to".split()
)

# What Dovecot and Courier keep beside the mail. Matched whole, so that an mbox called "dovecot" is read.
_CONTROL_FILE = re.compile(
    r"dovecot(\.index|\.list\.index|\.map\.index|\.mailbox\.log|-uidlist|-uidvalidity|-keywords|-acl|-quota)"
    r"([.-].*)?|courierimap(acl|hiersep|keywords|subscribed|uiddb)|maildir(folder|size)|shared-maildirs"
)
# A word that may as well be the name of an mbox: it is looked at, and passed over in silence if it is none.
_MAYBE_CONTROL = frozenset({"subscriptions"})


class Kind(enum.Enum):
    """What the source does with a file."""

    EML = enum.auto()
    """One message, as it lies."""
    EMLX = enum.auto()
    """One message of Apple Mail, wrapped."""
    MAILDIR = enum.auto()
    """One message, flags in its name."""
    MBOX = enum.auto()
    """Many messages."""
    JSON = enum.auto()
    """One message that an older archiver kept as fields."""
    EMPTY = enum.auto()
    """No octets, no message."""
    FOREIGN = enum.auto()
    """No mail."""
    CONTROL = enum.auto()
    """A mail server's bookkeeping, not worth a word."""
    FAILED = enum.auto()
    """Could not be looked at, or is not what `format` says; already in the report."""
    GONE = enum.auto()
    """Vanished since it was listed; already in the report."""


class Misfit(Exception):
    """A file is not what its layout says: it ends that file, not the run; the text is the reason."""


def is_control_file(name: str) -> bool:
    """Whether a mail server keeps its bookkeeping under this name, so that the file is not even looked at."""
    return _CONTROL_FILE.fullmatch(name) is not None


def kind_of(layout: str, name: str, head: bytes) -> Kind:
    """Return what a file outside of a Maildir is, by the account's `format`, its name and its first octets.

    With `auto` the octets count for more than the name: an mbox called `old.eml` is an mbox.

    Raises:
        Misfit: `format` forces a layout that the file does not have.
    """
    kind = _auto(name, head) if layout == "auto" else _forced(layout, name, head)
    if kind is not Kind.FOREIGN:
        return kind
    if name in _MAYBE_CONTROL:
        return Kind.CONTROL
    if layout == "auto":
        return Kind.FOREIGN
    reason = "is not in cur/ or new/ of a Maildir" if layout == "maildir" else f"is no {layout} file"
    raise Misfit(f"{reason}, as format: {layout} says; move it away or set format: auto")


def begins_mbox(head: bytes) -> bool:
    """Whether the first line that is not blank is a `From ` line of an mbox."""
    first, _, rest = without_bom(head).lstrip(b"\r\n").partition(b"\n")
    return is_separator(first + b"\n", rest.partition(b"\n")[0])


def without_bom(octets: bytes) -> bytes:
    """Return the octets without the byte order mark that some editors put in front."""
    return octets.removeprefix(_BOM)


def _auto(name: str, head: bytes) -> Kind:
    suffix = _suffix(name)
    if suffix == "json":
        return Kind.JSON
    if suffix == "emlx":
        return Kind.EMLX
    if begins_mbox(head):
        return Kind.MBOX
    if suffix == "eml" or begins_message(head):
        return Kind.EML
    return Kind.FOREIGN


def _forced(layout: str, name: str, head: bytes) -> Kind:
    suffix = _suffix(name)
    if layout == "json":
        return Kind.JSON
    if layout == "mbox" and begins_mbox(head):
        return Kind.MBOX
    if layout == "eml" and suffix == "emlx":
        return Kind.EMLX
    # A stray From_ line before the header is common in files saved one by one; it is part of the octets.
    if layout == "eml" and (suffix == "eml" or begins_mbox(head) or begins_message(head)):
        return Kind.EML
    return Kind.FOREIGN


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def begins_message(head: bytes) -> bool:
    """Whether the first octets look like the header of a mail: fields, at least one of them a mail's."""
    lines = without_bom(head).lstrip(b"\r\n").splitlines()
    if not lines or not _FIELD.match(lines[0]):
        return False
    for line in lines:
        if not line:
            break
        field = _FIELD.match(line)
        if field and field[1].lower() in _MAIL_FIELDS:
            return True
    return False
