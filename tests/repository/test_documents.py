"""Documents name only what exists: files, headings, make commands, settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from tap_mailbox.bookmarks import check_state
from tap_mailbox.cli import main as mailbox
from tap_mailbox.config import parse_config
from tap_mailbox.schema import load_schema

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^(```+|~~~+)(.*?)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(
    r"(?<!!)\[[^\]\[]*(?:\[[^\]]*\][^\]\[]*)*\]\(([^()\s]+(?:\([^()]*\))?)\)|^\[[^\]]+\]:\s+(\S+)",
    re.MULTILINE,
)

pytestmark = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def prose(document: Path) -> str:
    """Return the text without code blocks and code spans."""
    return re.sub(r"`[^`\n]+`", "code", FENCE.sub("", document.read_text(encoding="utf-8")))


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as the usual renderers make them."""
    found: set[str] = set()
    for heading in re.findall(
        r"^#{1,6}\s+(.+?)\s*#*$", FENCE.sub("", document.read_text(encoding="utf-8")), re.MULTILINE
    ):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (unique := slug if not number else f"{slug}-{number}") in found:
            number += 1
        found.add(unique)
    return found


def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link names a file of the repository, every fragment a heading in it."""
    lost = []
    for inline, reference in LINK.findall(prose(document)):
        target = unquote(inline or reference)
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        name, _, fragment = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (fragment and path.suffix == ".md" and fragment not in anchors(path)):
            lost.append(target)
    assert lost == []


def test_make_commands_exist(document: Path) -> None:
    """`make something` is a target of the Makefile."""
    named = {
        target for each in code(document) for target in re.findall(r"(?:^|[\s;&|(])make ([a-z][a-z-]*)", each)
    }
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set() == named - known


def test_configurations_are_valid(document: Path) -> None:
    """What is shown in YAML with accounts in it is a configuration that the tap accepts."""
    schema = load_schema("tap-config")
    for language, body in (
        (match[2].strip(), match[3]) for match in FENCE.finditer(document.read_text(encoding="utf-8"))
    ):
        if language in {"yaml", "yml"}:
            for configuration in configurations(yaml.safe_load(body)):
                parse_config(configuration, schema)


def configurations(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping with a list of accounts in a YAML document."""
    if isinstance(node, dict):
        if isinstance(node.get("accounts"), list):
            yield node
        for each in node.values():
            yield from configurations(each)
    elif isinstance(node, list):
        for each in node:
            yield from configurations(each)


def test_states_are_valid(document: Path) -> None:
    """Bookmarks shown in JSON are a state that the tap goes on from."""
    for match in FENCE.finditer(document.read_text(encoding="utf-8")):
        if match[2].strip() == "json" and '"bookmarks"' in match[3]:
            check_state(json.loads(match[3]))


def test_mailbox_commands_exist(document: Path) -> None:
    """`mailbox something --option` is a command of the command line, with that option."""
    offered = {
        name: {option for each in (mailbox, command) for one in each.params for option in one.opts}
        for name, command in mailbox.commands.items()
    }
    for line in code(document):
        for name, rest in re.findall(r"(?:^|[;&|(])\s*mailbox ([a-z][a-z-]*)([^;&|)#]*)", line):
            assert name in offered, line
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= offered[name], line


def code(document: Path) -> list[str]:
    """Return the lines of code blocks, and the code spans."""
    text = document.read_text(encoding="utf-8")
    lines = [line for *_, body in FENCE.findall(text) for line in body.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def test_nothing_of_a_developers_machine(document: Path) -> None:
    """Documents are for everybody: no path of somebody's home."""
    text = document.read_text(encoding="utf-8")
    found = re.findall(r"(?:/home|/Users)/(?!you\b|me\b)\w+", text)
    assert found == []
