"""The flags that a Maildir keeps in the names of its files (maildir(5))."""

from __future__ import annotations

import re

# ":" is what maildir(5) says; ";" and "!" are what stands in for it on file systems that forbid it.
_INFO = re.compile(r"[:;!]2,([^,:;!]*)")
_FLAGS = {
    "D": "\\Draft",
    "F": "\\Flagged",
    "P": "$Forwarded",  # passed: resent, forwarded or bounced; RFC 9051 has a keyword for it
    "R": "\\Answered",
    "S": "\\Seen",
    "T": "\\Deleted",
}


def flags_of(name: str) -> tuple[str, ...]:
    r"""Return the IMAP flags, sorted: `flags_of("1.M2.host:2,RS") == ("\\Answered", "\\Seen")`.

    Lower-case letters are Dovecot's keywords; what they mean stands in another file, and they are left out.
    """
    info = _INFO.search(name)
    return tuple(sorted({_FLAGS[letter] for letter in info[1] if letter in _FLAGS})) if info else ()
