"""HTML to readable text, for messages that have no text part.

libxml2 reads the HTML and calls `_Reader` for each tag and text; no tree is built, so neither the depth of a
document nor its size costs more than its length. Where elements begin or end a line the reader leaves
marks, which become line ends when all blanks of the source have become single spaces.
"""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from lxml import etree

from tap_mailbox.mime.defects import Defect, Defects

if TYPE_CHECKING:
    from collections.abc import Mapping

# Marks: controls that HTML forbids, and that the input is cleared of.
_LINE = "\x01"
_PARAGRAPH = "\x02"
_BREAK = "\x03"
_CELL = "\x04"
_BLANK = "\x05"
_QUOTE = "\x06"
_UNQUOTE = "\x07"
_FORBIDDEN = bytes(range(8))
_MARK_RUN = re.compile("([\x01-\x04][ \x01-\x04]*+)")

_PARAGRAPHS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "dl", "hr")
_BLOCKS = (
    *("div", "dt", "dd", "section", "article", "header", "footer", "center", "address", "form", "caption"),
    *("fieldset", "nav", "main", "aside", "figure", "figcaption", "option", "table", "tr"),
)
_BEFORE = dict.fromkeys(_PARAGRAPHS, _PARAGRAPH) | dict.fromkeys(_BLOCKS, _LINE) | {"br": _BREAK}
_AFTER = dict.fromkeys(_PARAGRAPHS, _PARAGRAPH) | dict.fromkeys(_BLOCKS, _LINE) | {"td": _CELL, "th": _CELL}

_LISTS = frozenset({"ul", "ol"})
_INVISIBLE = frozenset({"head", "script", "style", "noframes", "template", "svg", "math"})
_SPECIAL = _LISTS | _INVISIBLE | {"blockquote", "img", "li", "pre"}

_LINK_SCHEMES = ("http://", "https://", "mailto:", "tel:")
LONGEST_LINK_CHARS = 500  # a longer one is a tracking link: noise in a text
MOST_PIECES = 10_000
CHUNK_CHARS = 65_536
DEEPEST_QUOTE = 10  # levels of `>` that are shown


def text_of_html(source: str, longest_bytes: int, defects: Defects) -> str:
    """Return the text a reader of the HTML sees: paragraphs, list items, table rows, links, quotes."""
    return _laid_out(_marked_text(source, longest_bytes, defects))


def _marked_text(source: str, longest_bytes: int, defects: Defects) -> str:
    octets = source[: longest_bytes + 1].encode("utf-8", "replace")
    if len(octets) > longest_bytes:
        defects.add(Defect.HTML_TOO_LARGE)
        octets = octets[:longest_bytes]
    octets = octets.translate(None, _FORBIDDEN)
    reader = _Reader()
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, target=cast("Any", reader))
    # An empty document raises, as does the end of what libxml2 takes for HTML; what it read before counts.
    with contextlib.suppress(etree.LxmlError, ValueError):
        etree.fromstring(octets, parser)
    return reader.text()


class _Reader:
    """Collects the text and the marks, in document order. See the target interface of lxml's parsers."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.data = self.pieces.append
        self._done: list[str] = []
        self._numbers: list[int | None] = []  # of the next item, for each list around; None: not numbered
        self._links: list[tuple[str, int]] = []
        self._invisible: list[int] = []
        self._preformatted: list[int] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag."""
        mark = _BEFORE.get(tag)
        if mark is not None:
            self.data(mark)
        elif tag == "a":
            self._links.append((attributes.get("href") or "", len(self.pieces)))
        elif tag in _SPECIAL:
            self._start_special(tag, attributes)

    def end(self, tag: str) -> None:
        """Take an end tag; libxml2 makes up those that are missing."""
        mark = _AFTER.get(tag)
        if mark is not None:
            self.data(mark)
            if len(self.pieces) > MOST_PIECES and not (self._links or self._invisible or self._preformatted):
                # A short string takes ten times its length.
                self._done.append("".join(self.pieces))
                self.pieces.clear()
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in _SPECIAL:
            self._end_special(tag)

    def close(self) -> None:
        """Take the end of the document."""

    def text(self) -> str:
        """Return all that was read, marks and blanks among it; once."""
        text = "".join([*self._done, *self.pieces])
        # The parser keeps its target until the garbage collector finds both.
        self._done.clear()
        self.pieces.clear()
        return text

    def _start_special(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "img":
            self.data(attributes.get("alt") or "")
        elif tag == "li":
            self.data(_LINE)
            self.data(self._next_item())
        elif tag in _LISTS:
            self.data(_PARAGRAPH if not self._numbers else _LINE)
            self._numbers.append(1 if tag == "ol" else None)
        elif tag == "blockquote":
            self.data(_PARAGRAPH + _QUOTE)
        elif tag == "pre":
            self.data(_PARAGRAPH)
            self._preformatted.append(len(self.pieces))
        else:
            self._invisible.append(len(self.pieces))

    def _end_special(self, tag: str) -> None:
        if tag in _LISTS and self._numbers:
            self._numbers.pop()
            self.data(_PARAGRAPH if not self._numbers else _LINE)
        elif tag == "blockquote":
            self.data(_UNQUOTE + _PARAGRAPH)
        elif tag == "pre" and self._preformatted:
            start = self._preformatted.pop()
            if not self._preformatted:  # once for the outermost: for each level it would be quadratic
                self.pieces[start:] = [_kept("".join(self.pieces[start:])), _PARAGRAPH]
        elif tag in _INVISIBLE and self._invisible:
            del self.pieces[self._invisible.pop() :]

    def _next_item(self) -> str:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            return "* "
        self._numbers[-1] = number + 1
        return f"{number}. "

    def _end_link(self, href: str, start: int) -> None:
        href = href.strip()
        if len(href) > LONGEST_LINK_CHARS or not href.lower().startswith(_LINK_SCHEMES):
            return
        # `<a href="https://example.org/">example.org</a>` needs no second telling.
        shown = self.pieces[start].strip().rstrip("/") if start < len(self.pieces) else ""
        if not shown or shown not in href:
            self.data(f" <{href}>")


def _kept(text: str) -> str:
    """Preformatted text, its blanks as marks."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " " * 8)
    return lines.replace("\n", _BREAK).replace(" ", _BLANK)


def _laid_out(text: str) -> str:
    """The text with line ends for the marks and one space for each run of blanks."""
    text = _with_line_ends(_single_spaced(text)).replace(" \n", "\n").strip(" |\n")
    if _QUOTE in text:
        text = _quoted(text)
    return text.replace(_UNQUOTE, "").replace(_BLANK, " ")


def _with_line_ends(text: str) -> str:
    chunks = []
    position = 0
    while position < len(text):
        # In chunks, each up to a line end: the list of all pieces would take many times the text.
        boundary = _MARK_RUN.search(text, position + CHUNK_CHARS)
        end = boundary.end() if boundary else len(text)
        pieces = _MARK_RUN.split(text[position:end])
        pieces[1::2] = [_short_line_ends(run) if len(run) < 16 else _line_ends(run) for run in pieces[1::2]]
        chunks.append("".join(pieces))
        position = end
    return "".join(chunks)


def _single_spaced(text: str) -> str:
    chunks = []
    for start in range(0, len(text), CHUNK_CHARS):
        chunk = text[start : start + CHUNK_CHARS]
        words = " ".join(chunk.split())
        chunks.append(f"{' ' * chunk[0].isspace()}{words}{' ' * chunk[-1].isspace()}")
    joined = "".join(chunks)
    return joined.replace("  ", " ") if len(chunks) > 1 else joined.strip(" ")


def _line_ends(marks: str) -> str:
    if _PARAGRAPH in marks or marks.count(_BREAK) > 1:
        return "\n\n"
    return "\n" if _LINE in marks or _BREAK in marks else " | "


_short_line_ends = lru_cache(maxsize=256)(_line_ends)  # the same few runs, hundreds of times a document


def _quoted(text: str) -> str:
    """The text with `> ` before the lines inside of blockquote elements."""
    depth = 0
    lines: list[str] = []
    for line in text.split("\n"):
        depth += line.count(_QUOTE)
        bare = line.replace(_QUOTE, "").replace(_UNQUOTE, "").strip(" ")
        if bare or not lines or lines[-1]:
            lines.append("> " * min(depth, DEEPEST_QUOTE) + bare if bare else "")
        depth = max(depth - line.count(_UNQUOTE), 0)
    return "\n".join(lines).strip("\n")
