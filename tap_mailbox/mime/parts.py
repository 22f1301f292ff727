"""The tree of a message's parts, each with its exact byte range (RFC 2046, section 5.1).

No recursion and one pass: every line that begins with two dashes is looked up among the delimiters of
the multiparts that are open there.

```
a line `--x`          of an open multipart: ends every part inside it, begins its next part
a line `--x--`        of an open multipart: ends it; what follows is its epilogue
the end of the range  ends everything (and is a defect)
```

The innermost multipart wins where two have one delimiter, and an outer one's delimiter ends an inner
multipart that was never closed. A multipart in which no part was found that way is read once more, with a
boundary that its lines suggest; the ranges of such multiparts never overlap, so the cost stays linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.mime.defects import Defect, Defects
from tap_mailbox.mime.fields import Header, read_header
from tap_mailbox.mime.parameters import Parameters, parse_parameters
from tap_mailbox.mime.transfer import BASE64, BINARY, IDENTITY, encoding_of

if TYPE_CHECKING:
    from tap_mailbox.mime.message import Limits

_DASHES = re.compile(rb"\n--([^\n]*+)")
_FIELD_OR_BLANK = re.compile(rb"\n(?:\r?\n|[^\x00-\x20:\x7f]++[ \t]*+:)")

_CR = 0x0D
DEFAULT_TYPE = "text/plain"
OPAQUE_TYPE = "application/octet-stream"


@dataclass(slots=True)
class Part:
    """One part: the message itself, a multipart or a leaf."""

    number: str
    """As in IMAP; empty for the message itself when it is a multipart."""

    header: Header
    end: int
    """Where its body ends; it begins at `header.body`. The line end before a delimiter is the delimiter's."""

    content_type: str = DEFAULT_TYPE
    parameters: Parameters = field(default_factory=dict)
    encoding: str = IDENTITY
    parent_type: str | None = None
    """Content type of the multipart it is in. Not that part itself: parts in a circle would stay in memory
    until the garbage collector finds them, message after message."""

    encrypted: bool = False
    """It is inside of a multipart/encrypted."""

    children: list[Part] = field(default_factory=list)
    depth: int = 0
    preamble_end: int = 0
    """Of a multipart: where its first delimiter line begins."""

    epilogue: int = 0
    """Of a multipart: where the line after its closing delimiter begins; its end when there is none."""

    @property
    def parent_number(self) -> str:
        """The number of the multipart it is in."""
        return self.number.rpartition(".")[0]

    @property
    def is_multipart(self) -> bool:
        """Whether the header says that there are parts inside."""
        return self.content_type.startswith("multipart/")


class _OpenMultiparts:
    """The multiparts around the current line, outermost first, and their delimiters."""

    def __init__(self, *, prefix: bytes | None) -> None:
        self._prefix = prefix  # what a delimiter line of the outermost need only begin with
        self.stack: list[Part] = []
        self._boundaries: list[bytes | None] = []
        self._levels: dict[bytes, list[int]] = {}

    def push(self, part: Part, boundary: bytes | None) -> None:
        """Open a multipart; without a boundary nothing but an outer delimiter ends it."""
        if boundary is not None:
            self._levels.setdefault(boundary, []).append(len(self.stack))
        self.stack.append(part)
        self._boundaries.append(boundary)

    def pop(self) -> Part:
        """Close the innermost multipart."""
        boundary = self._boundaries.pop()
        if boundary is not None:
            levels = self._levels[boundary]
            levels.pop()
            if not levels:
                del self._levels[boundary]
        return self.stack.pop()

    def level_of(self, line: bytes) -> tuple[int, bool] | None:
        """Return whose delimiter the line (less its two dashes) is, and whether it closes."""
        # As it is first, for a boundary that ends in blanks; then without what gateways add.
        for text in (line.removesuffix(b"\r"), line.rstrip()):
            if levels := self._levels.get(text):
                return levels[-1], False
            if text.endswith(b"--") and (levels := self._levels.get(text[:-2])):
                return levels[-1], True
        if self._prefix is not None and line.startswith(self._prefix):
            return 0, line.startswith(b"--", len(self._prefix))
        return None


class Splitter:
    """Splits one message into its parts."""

    def __init__(self, octets: bytes, limits: Limits, defects: Defects) -> None:
        self._octets = octets
        self._limits = limits
        self._defects = defects
        self._count = 0
        self._without_parts: list[Part] = []

    def split(self, header: Header) -> Part:
        """Return the message as a tree of parts."""
        root = Part("", header, len(self._octets))
        self._read_content_type(root, DEFAULT_TYPE)
        if root.is_multipart:
            self._scan(root, _boundary_of(root))
            if not root.children:
                self._without_parts.append(root)
            while self._without_parts:
                self._retry(self._without_parts.pop())
        if not root.children:
            root.number = "1"
        return root

    def _scan(self, root: Part, boundary: bytes | None, *, by_prefix: bool = False) -> None:
        """Find the parts of `root`, whose range is known, and of the multiparts inside of it.

        Args:
            root: the multipart.
            boundary: its delimiter lines without the two dashes; None when it states none.
            by_prefix: its delimiter lines may go on after the boundary.
        """
        open_multiparts = _OpenMultiparts(prefix=boundary if by_prefix else None)
        open_multiparts.push(root, boundary)
        current: Part | None = None  # the leaf, or the multipart past its closing delimiter
        position = root.header.body - 1
        while match := self._next_dashes(position, root.end, current):
            position = match.end()
            level = open_multiparts.level_of(match[1])
            if level is None:
                continue
            begin = match.start()
            end = begin - 1 if self._octets[begin - 1] == _CR else begin
            if current is not None:
                current.end = max(end, current.header.body)
            multipart = self._close_down_to(level[0], open_multiparts, end)
            if not multipart.children:
                multipart.preamble_end = begin + 1
            after = min(match.end() + 1, root.end)
            if level[1]:
                multipart.epilogue = after
                current = open_multiparts.pop()
                if not open_multiparts.stack:
                    return
                if not current.children:
                    self._without_parts.append(current)
            elif self._count >= self._limits.parts:
                self._defects.add(Defect.TOO_MANY_PARTS)
                self._add_remainder(multipart, after, root.end)
                return
            else:
                current = self._add_part(multipart, after, root.end)
                if current.is_multipart:
                    open_multiparts.push(current, _boundary_of(current))
                    current = None
        if current is not None:
            current.end = root.end
        self._close_down_to(0, open_multiparts, root.end)
        if root.children:
            self._defects.add(Defect.UNCLOSED_MULTIPART)

    def _next_dashes(self, position: int, end: int, current: Part | None) -> re.Match[bytes] | None:
        """The next line that begins with two dashes, at that position or below it."""
        if current is not None and current.encoding == BASE64:
            # Base64 has no dash, and one octet is searched for ten times as fast as a pattern.
            dash = self._octets.find(b"-", max(position, current.header.body), end)
            if dash < 0:
                return None
            position = max(position, dash - 1)
        return _DASHES.search(self._octets, position, end)

    def _close_down_to(self, level: int, open_multiparts: _OpenMultiparts, end: int) -> Part:
        """End every multipart deeper than that level; returns the one at the level."""
        while len(open_multiparts.stack) > level + 1:
            part = open_multiparts.pop()
            part.end = max(end, part.header.body)
            if part.children:
                self._defects.add(Defect.UNCLOSED_MULTIPART)
            else:
                self._without_parts.append(part)
        return open_multiparts.stack[level]

    def _add_part(self, parent: Part, start: int, limit: int) -> Part:
        self._count += 1
        header = read_header(self._octets, start, self._limits, self._defects, part=True)
        header.body = min(header.body, limit)
        part = Part(
            _number_in(parent), header, header.body, parent_type=parent.content_type, depth=parent.depth + 1
        )
        part.encrypted = parent.encrypted or parent.content_type == "multipart/encrypted"
        parent.children.append(part)
        # RFC 2046, section 5.1.5: in a digest, a part without a type is a message.
        default = "message/rfc822" if parent.content_type == "multipart/digest" else DEFAULT_TYPE
        self._read_content_type(part, default)
        if part.is_multipart and part.depth >= self._limits.depth:
            self._defects.add(Defect.TOO_DEEP)
            part.content_type = OPAQUE_TYPE
        return part

    def _add_remainder(self, parent: Part, start: int, end: int) -> None:
        """Make one attachment of all that follows the last part that is read."""
        header = Header(start, start)
        parent.children.append(
            Part(
                _number_in(parent), header, end, OPAQUE_TYPE, encoding=BINARY, parent_type=parent.content_type
            )
        )

    def _read_content_type(self, part: Part, default: str) -> None:
        """Set type, parameters and encoding from the part's header."""
        values = part.header.all("content-type")
        if len(values) > 1:
            self._defects.add(Defect.DUPLICATE_CONTENT_TYPE)
        self._set_content_type(part, values[0] if values else b"", default)
        encoding = part.header.first("content-transfer-encoding")
        if encoding:
            part.encoding = encoding_of(encoding, self._defects)

    def _set_content_type(self, part: Part, value: bytes, default: str) -> None:
        part.content_type = default
        if not value:
            return
        content_type, part.parameters = parse_parameters(value, self._limits, self._defects)
        main, _, subtype = content_type.partition("/")
        if main and subtype:
            part.content_type = content_type
            return
        # RFC 2045, section 5.2: what cannot be read as a type is plain text.
        self._defects.add(Defect.INVALID_CONTENT_TYPE)
        if main == "multipart":
            part.content_type = "multipart/mixed"

    def _retry(self, part: Part) -> None:
        """Read a multipart in which its own boundary found no part; at last it is a leaf."""
        boundary = _boundary_of(part)
        if boundary is not None:
            # RFC 2046, section 5.1.2: it is enough that the line begins with the boundary.
            self._scan(part, boundary.rstrip(), by_prefix=True)
        if not part.children:
            guess = self._guessed_boundary(part)
            if guess is not None:
                self._scan(part, guess)
        if part.children:
            self._defects.add(Defect.BOUNDARY_GUESSED)
            return
        self._defects.add(Defect.BOUNDARY_NOT_FOUND)
        part.preamble_end = part.epilogue = 0
        for value in part.header.all("content-type")[1:]:
            self._set_content_type(part, value, DEFAULT_TYPE)
            if not part.is_multipart:
                return
        part.content_type = DEFAULT_TYPE

    def _guessed_boundary(self, part: Part) -> bytes | None:
        """The first line of two dashes with a header or a blank line below it, less the dashes."""
        for match in _DASHES.finditer(self._octets, part.header.body - 1, part.end):
            if _FIELD_OR_BLANK.match(self._octets, match.end(), part.end):
                return match[1].rstrip()
        return None


def _boundary_of(part: Part) -> bytes | None:
    boundary = part.parameters.get("boundary", "").encode("utf-8", "replace")
    return boundary if boundary.strip() else None


def _number_in(parent: Part) -> str:
    number = str(len(parent.children) + 1)
    return f"{parent.number}.{number}" if parent.number else number
