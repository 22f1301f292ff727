"""File names as text: for the record, for the bookmark, for people. Files are opened by their own name."""

from __future__ import annotations

import os
import urllib.parse


def display(relative: str) -> str:
    """Return a relative path for the record, "." for the top; octets that are no UTF-8 become U+FFFD."""
    return os.fsencode(relative).decode("utf-8", "replace") or "."


def bookmark_key(relative: str) -> str:
    """Return a relative path as the key of its bookmark, "." for the top.

    Different files never share a key, or one would pass for read because the other was. So a name that is no
    UTF-8 is percent-encoded, behind `//`, which no relative path begins with.
    """
    name = os.fsencode(relative)
    try:
        return name.decode("utf-8") or "."
    except UnicodeDecodeError:
        return "//" + urllib.parse.quote_from_bytes(name)


def one_line(text: str) -> str:
    """Return text for a report or a log: a line break in a file name must not fake a line of its own."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
