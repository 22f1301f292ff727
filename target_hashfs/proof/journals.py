"""All journals of an archive, taken into the ledger as far as they reach between two commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_hashfs.address import JOURNALS, split
from target_hashfs.intent import SUFFIX as INTENT
from target_hashfs.intent import Intent, Torn
from target_hashfs.proof.chain import (
    MESSAGE_EVENTS,
    Chain,
    LineRules,
    find_journal_end,
    journal_names,
    open_journal,
)
from target_hashfs.proof.files import unreadable
from target_hashfs.proof.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_hashfs.proof.chain import End, Entry
    from target_hashfs.proof.ledger import Ledger
    from target_hashfs.proof.walk import Selection
    from target_hashfs.store import Store

_RECOVERABLE = frozenset({Code.TEMPORARY, Code.UNJOURNALED, Code.MISSING})
"""What a dead commit leaves in the places it names, and the next run puts in order."""


class Journals:
    """Reads the journals once, and later what was added to them."""

    def __init__(self, store: Store, ledger: Ledger, selection: Selection) -> None:
        self._store = store
        self._ledger = ledger
        self._selection = selection
        self._rules = LineRules()
        self._chains: dict[str, Chain] = {}
        self._unfinished: set[str] = set()
        self._torn_intent = False
        self._told: set[Finding] = set()
        self.lines = 0
        """Read so far."""

    @property
    def count(self) -> int:
        """How many journals there are."""
        return len(self._chains)

    def look(self) -> tuple[list[End], list[Finding]]:
        """Return how far the journals reach, and news of dead runs; only while no commit is under way."""
        ends, findings = [], []
        for name in journal_names(self._store):
            try:
                with open_journal(self._store, name) as file:
                    ends.append(find_journal_end(file, name))
            except OSError as error:
                findings.append(unreadable(f"{JOURNALS}/{name}.jsonl", error))
        findings += [each for end in ends for each in end.findings()] + self._look_at_intents()
        news = [each for each in findings if each not in self._told]
        self._told.update(news)
        return ends, news

    def _look_at_intents(self) -> list[Finding]:
        self._unfinished.clear()
        self._torn_intent = False
        findings = []
        for name in self._store.names(JOURNALS):
            path = f"{JOURNALS}/{name}"
            found = self._store.look(path) if name.endswith(INTENT) else None
            if found is None or not found.content:
                continue
            try:
                intent = Intent.parse(found.content)
            except Torn:
                self._torn_intent = True
                findings.append(Finding(Code.UNFINISHED, path, "no commit under way", "a torn intent of one"))
                continue
            if intent is not None:
                self._unfinished |= _places(intent)
                count = f"{len(intent.writings):,} messages"
                findings.append(
                    Finding(Code.UNFINISHED, path, "no commit under way", f"a dead run's, of {count}")
                )
        return findings

    def excuses(self, finding: Finding) -> bool:
        """Whether *finding* is the trace of a dead commit, which is a finding of its own."""
        if finding.code is Code.TEMPORARY and self._torn_intent:
            return True
        return finding.code in _RECOVERABLE and finding.path in self._unfinished

    def has_read(self, ends: list[End]) -> bool:
        """Whether *ends* were reached before."""
        return all(
            end.name in self._chains and self._chains[end.name].position.offset >= end.position.offset
            for end in ends
        )

    def read(self, ends: list[End]) -> Iterator[Finding]:
        """Take the lines up to *ends* into the ledger, and yield what is wrong with them."""
        for end in ends:
            chain = self._chains.setdefault(end.name, Chain(end.path))
            with open_journal(self._store, end.name) as file:
                for entry in chain.read(file, end.position.offset):
                    if isinstance(entry, Finding):
                        yield entry
                        continue
                    self.lines += 1
                    if problem := self._rules.problem(entry):
                        yield Finding(Code.JOURNAL_LINE, end.path, *problem, chain.line)
                    else:
                        self._take(end.name, entry)
        self._ledger.flush()

    def _take(self, journal: str, entry: Entry) -> None:
        if entry["event"] == "quarantined":
            self._ledger.add(journal, entry)
        elif entry["event"] in MESSAGE_EVENTS:
            account, _, month = split(entry["path"])[0].partition("/")
            if self._selection.wants(account, month):
                self._ledger.add(journal, entry)


def _places(intent: Intent) -> set[str]:
    places = {path for move in intent.moves for path in (move["path"], move["was"])}
    for writing in intent.writings:
        places |= {writing.path, writing.eml_path, *writing.temporaries}
    return places
