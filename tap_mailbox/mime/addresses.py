"""Address lists (RFC 5322, section 3.4), one pass over the tokens, whatever is wrong with them.

Most lists are `Name <address>, "Name" <address>, address`: those go through one regular expression. Where
that stops fitting, the rest of the list is read token by token:

```
phrase, quoted strings, encoded words ─┐            ┌─ `,` or `;` ends a mailbox
comments (nested, counted) ────────────┼─ mailbox ──┤
`<address>` ───────────────────────────┘            └─ `:` ends the name of a group, if a `;` ends it
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from tap_mailbox.mime.charsets import decode_undeclared
from tap_mailbox.mime.defects import Defect, Defects
from tap_mailbox.mime.encoded_words import decode_words
from tap_mailbox.mime.message import Address, Limits

_SIMPLE = re.compile(
    rb'[ \t]*+(?:(?:"([^"\\<>]*+)"|([^",:;<>()@\[\]\\]*+))[ \t]*+<([^\s<>",;:()\[\]\\]++)>'
    rb'|([^\s<>",;:()\[\]\\@=]++(?:@[^\s<>",;:()\[\]\\@=]++)?))[ \t]*+(?:[,;]|\Z)'
)

# An encoded word is one token: a comma, a parenthesis or a quote inside separates nothing. Runs of one
# separator are one token as well, so that floods of them cost little.
_TOKEN = re.compile(
    rb"(?P<word>=\?[^?\s]*+\?[bBqQ]\?[^?]*+\?=)"
    rb'|(?P<quoted>"(?:[^"\\]++|\\.)*+")'
    rb'|(?P<angle><++(?:"[^"<>]*+"|[^<>"])*>++)'
    rb"|(?P<separator>[,;]++)"
    rb"|(?P<open><++)"
    rb"|(?P<special>[:()])"
    rb'|(?P<atom>\[[^\]\[<>,;"]*+\]|[^\s",;:<>()\[\]=\\]++|=|\\.)'
    rb"|(?P<blank>\s++)"
    rb"|(?P<other>.)",
    re.DOTALL,
)
_TOKEN_WITHOUT_QUOTES = re.compile(
    _TOKEN.pattern.replace(rb'|(?P<quoted>"(?:[^"\\]++|\\.)*+")', b""), re.DOTALL
)
_COMMENT_EDGE = re.compile(rb"[()]|\\.", re.DOTALL)
# The same senders and recipients are in message after message, but those of a circular only once.
CACHED_OCTETS = 1_024
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_QUOTED_ADDRESS = re.compile(rb'"(?:[^"\\]++|\\.)*+"@[^\s"]++\Z', re.DOTALL)
_ROUND_AT = re.compile(rb"\s*+([@.])\s*+")


@dataclass(slots=True)
class _Pieces:
    """The pieces of one mailbox as they are met."""

    phrase: list[bytes] = field(default_factory=list)
    comment: list[bytes] = field(default_factory=list)
    angle: bytes | None = None


def parse_addresses(
    value: bytes, role: str, limits: Limits, defects: Defects, *, hint: str | None = None
) -> list[Address]:
    """Return the mailboxes of one unfolded field value, in order; members of groups among them."""
    most = limits.addresses
    found: list[Address] = []
    position = 0
    end = len(value)
    cached = end <= CACHED_OCTETS and value.isascii()
    while position < end:
        match = _SIMPLE.match(value, position)
        if match is None:
            found.extend(_read_tokens(value[position:], role, most, defects, hint))
            break
        quoted, phrase, angle, bare = match.groups()
        name = quoted or phrase or b""
        if cached:
            mailbox, defects_of_mailbox = _short_mailbox(role, name, angle or bare)
            defects |= defects_of_mailbox
        else:
            mailbox = _mailbox(role, name, angle or bare, defects, hint)
        found.append(mailbox)
        position = match.end()
        if len(found) >= most:
            break
    if len(found) >= most:
        defects.add(Defect.TOO_MANY_ADDRESSES)
        del found[most:]
    return found


def _mailbox(role: str, name: bytes, address: bytes, defects: Defects, hint: str | None) -> Address:
    return Address(role, _name_text(name, defects, hint), _address_text(address, hint))


@lru_cache(maxsize=4096)
def _short_mailbox(role: str, name: bytes, address: bytes) -> tuple[Address, frozenset[Defect]]:
    defects: Defects = set()
    mailbox = _mailbox(role, name, address, defects, None)
    return mailbox, frozenset(defects)


def _read_tokens(value: bytes, role: str, most: int, defects: Defects, hint: str | None) -> list[Address]:
    tokens = _tokens(value)
    closers = _comments(tokens)
    is_group = b";" in value
    found: list[Address] = []
    mailbox = _Pieces()
    index = 0
    while index < len(tokens) and len(found) < most:
        kind, text = tokens[index]
        if kind == "separator":
            found.extend(_finished(mailbox, role, defects, hint))
            mailbox = _Pieces()
        elif kind == "special":
            if text == b"(" and index in closers:
                mailbox.comment.append(b"".join([inner for _, inner in tokens[index + 1 : closers[index]]]))
                index = closers[index]
            elif text == b":" and is_group and mailbox.angle is None:
                mailbox = _Pieces()  # what stood before it is the name of a group
            else:
                mailbox.phrase.append(text)
        elif kind == "open":
            index = _read_unclosed_angle(tokens, index, mailbox)
            continue
        elif kind == "quoted":
            mailbox.phrase.append(text if _is_local_part(tokens, index) else _unquoted(text))
        elif kind == "angle" and mailbox.angle is None:
            mailbox.angle = text.strip(b"<>")
        elif text != b'"':  # a quote that nothing closes
            mailbox.phrase.append(text)
        index += 1
    found.extend(_finished(mailbox, role, defects, hint))
    return found


def _tokens(value: bytes) -> list[tuple[str, bytes]]:
    tokens: list[tuple[str, bytes]] = []
    unclosed = -1
    for match in _TOKEN.finditer(value):
        if match.lastgroup == "other" and match[0] == b'"':
            unclosed = match.start()
            break
        tokens.append((match.lastgroup or "", match[0]))
    if unclosed >= 0:
        # Nothing closes this quote, so nothing closes a later one either: never look again.
        rest = _TOKEN_WITHOUT_QUOTES.finditer(value, unclosed)
        tokens += [(match.lastgroup or "", match[0]) for match in rest]
    return tokens


def _comments(tokens: list[tuple[str, bytes]]) -> dict[int, int]:
    """Index of every opening parenthesis that is closed, with the index of the one that closes it."""
    closers: dict[int, int] = {}
    opened: list[int] = []
    for index, (kind, text) in enumerate(tokens):
        if kind == "special":
            if text == b"(":
                opened.append(index)
            elif text == b")" and opened:
                closers[opened.pop()] = index
    return closers


def _read_unclosed_angle(tokens: list[tuple[str, bytes]], index: int, mailbox: _Pieces) -> int:
    """Take `<someone@example.org` up to the next separator; returns the index of that."""
    index += 1
    start = index
    while index < len(tokens) and tokens[index][0] not in {"separator", "open", "angle"}:
        index += 1
    text = b"".join([inner for _, inner in tokens[start:index]])
    if mailbox.angle is None:
        mailbox.angle = text
    return index


def _is_local_part(tokens: list[tuple[str, bytes]], index: int) -> bool:
    """Whether a quoted string is the left side of an address: `"john smith"@example.org`."""
    return index + 1 < len(tokens) and tokens[index + 1][1].startswith(b"@")


def _unquoted(quoted: bytes) -> bytes:
    inner = quoted[1:-1]
    return _ESCAPED.sub(rb"\1", inner) if b"\\" in inner else inner


def _finished(mailbox: _Pieces, role: str, defects: Defects, hint: str | None) -> list[Address]:
    """The mailbox that its pieces make; none for an empty place between commas."""
    phrase = b"".join(mailbox.phrase).strip()
    comment = b" ".join(mailbox.comment).strip()
    if mailbox.angle is not None:
        address = _address_text(_bare_address(mailbox.angle), hint)
        return [Address(role, _name_text(phrase or comment, defects, hint), address)]
    if not phrase:
        if comment:
            defects.add(Defect.INVALID_ADDRESS)
        return []
    if _QUOTED_ADDRESS.match(phrase):
        return [Address(role, _name_text(comment, defects, hint), _address_text(phrase, hint))]
    bare = _ROUND_AT.sub(rb"\1", phrase) if b"@" in phrase else phrase
    words = bare.split()
    if len(words) == 1 and not bare.startswith(b"=?"):
        # `root` and `abel`: local users, with no domain and no defect in the mail of one machine.
        return [Address(role, _name_text(comment, defects, hint), _address_text(bare, hint))]
    defects.add(Defect.INVALID_ADDRESS)
    with_at = [word for word in words if b"@" in word]
    if len(with_at) == 1:
        name = b" ".join(word for word in words if b"@" not in word)
        return [Address(role, _name_text(name or comment, defects, hint), _address_text(with_at[0], hint))]
    return [Address(role, _name_text(phrase, defects, hint), None)]


def _bare_address(angle: bytes) -> bytes:
    """What is between angle brackets, less comments and route: `@relay,@other:someone(me)@example.org`."""
    text = _without_comments(angle) if b"(" in angle else angle
    text = text.strip()
    # RFC 5322, section 4.4: source routes are to be ignored.
    return text.rpartition(b":")[2] if text.startswith(b"@") else text


def _without_comments(text: bytes) -> bytes:
    kept = []
    position = depth = 0
    for edge in _COMMENT_EDGE.finditer(text):
        if edge[0] == b"(":
            if depth == 0:
                kept.append(text[position : edge.start()])
            depth += 1
        elif edge[0] == b")" and depth:
            depth -= 1
            position = edge.end()
    return b"".join(kept) + text[position:] if depth == 0 else text


def _address_text(octets: bytes, hint: str | None) -> str | None:
    # Blanks are none of an address, but for a quoted left side: `"john smith"@example.org`.
    text = decode_undeclared(octets if octets.startswith(b'"') else b"".join(octets.split()), hint)
    if text[:7].lower() == "mailto:":
        text = text[7:]
    return text or None


def _name_text(octets: bytes, defects: Defects, hint: str | None) -> str | None:
    if not octets:
        return None
    text = " ".join(decode_words(octets, defects, hint=hint).split())
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]  # quotes that were encoded along with the name
    return text or None
