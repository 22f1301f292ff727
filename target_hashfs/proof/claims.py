"""One place of the tree against what the journals claim about it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from target_hashfs.proof.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_hashfs.proof.files import Read
    from target_hashfs.proof.ledger import Claim
    from target_hashfs.proof.message import Examined

_LINE = "a journal line about it"


class Place(NamedTuple):
    """What stands where a message may stand."""

    stem: str
    """Relative to the root, without `.json`."""
    names: frozenset[str]
    """`json`, `eml`: what is there, readable or not."""
    document: Read | None
    """The `.json`; None when it is missing or cannot be read."""
    octets: Read | None
    """The `.eml`; likewise."""
    examined: Examined
    """The `.json` against itself."""

    @property
    def path(self) -> str:
        """Of the `.json`."""
        return f"{self.stem}.json"

    @property
    def eml_path(self) -> str:
        """Of the `.eml`."""
        return f"{self.stem}.eml"


def compare(place: Place, claims: list[Claim], was_moved: Callable[[str], bool]) -> Iterator[Finding]:
    """Yield where *place* and the *claims* about it, sorted by journal and line, differ.

    A file that is wrong in itself is not compared: whatever it should be, it is not.
    """
    if not claims:
        yield from _unclaimed(place)
        return
    # A message may be archived twice at one place, when the first file was damaged or removed. The last line
    # of each journal counts; nothing tells which of two journals was written to first.
    newest = list({claim.journal: claim for claim in claims}.values())
    claim = next((each for each in newest if _fits(each, place)), newest[-1])
    yield from _compare_json(place, claim)
    yield from _compare_eml(place, claim)
    contents = {each.content_hash for each in claims}
    if len(contents) > 1 and not (was_moved(place.path) or was_moved(place.eml_path)):
        other = next(each for each in claims if each.content_hash != claim.content_hash)
        yield Finding(
            Code.REPLACED,
            place.path,
            f"content {other.content_hash} (journal {other.journal}, line {other.seq}), or it moved away",
            f"content {claim.content_hash} (journal {claim.journal}, line {claim.seq})",
        )


def _fits(claim: Claim, place: Place) -> bool:
    return place.document is not None and claim.file_sha256 == place.document.sha256


def _unclaimed(place: Place) -> Iterator[Finding]:
    if place.document is not None:
        if place.examined.finding is None:
            yield Finding(Code.UNJOURNALED, place.path, _LINE, "none")
            yield from _eml_against_json(place, claimed=False)
    elif place.octets is not None:
        yield Finding(Code.UNJOURNALED, place.eml_path, f"a message beside it, and {_LINE}", "neither")


def _compare_json(place: Place, claim: Claim) -> Iterator[Finding]:
    if "json" not in place.names:
        yield Finding(Code.MISSING, place.path, _described(claim, claim.file_sha256), "nothing")
    elif place.document is not None and place.examined.finding is None:
        expected = (claim.file_sha256, claim.size, claim.content_hash)
        found = (place.document.sha256, place.document.size, place.examined.content_hash)
        if expected != found:
            yield Finding(
                Code.JOURNAL_DIGEST,
                place.path,
                f"{_described(claim, claim.file_sha256)}, {claim.size:,} bytes, content {claim.content_hash}",
                f"SHA-256 {found[0]}, {found[1]:,} bytes, content {found[2]}",
            )


def _compare_eml(place: Place, claim: Claim) -> Iterator[Finding]:
    if claim.eml_sha256 is None:
        if place.octets is not None:
            yield Finding(Code.UNJOURNALED, place.eml_path, "no such file", "one that no journal line names")
    elif "eml" not in place.names:
        yield Finding(Code.MISSING, place.eml_path, _described(claim, claim.eml_sha256), "nothing")
    elif place.octets is not None:
        agrees = claim.eml_sha256 == place.octets.sha256
        problem = list(_eml_against_json(place, claimed=agrees and _fits(claim, place)))
        if not problem and not agrees:
            expected = _described(claim, claim.eml_sha256)
            problem = [
                Finding(Code.JOURNAL_DIGEST, place.eml_path, expected, f"SHA-256 {place.octets.sha256}")
            ]
        yield from problem


def _eml_against_json(place: Place, *, claimed: bool) -> Iterator[Finding]:
    """Yield where the `.eml` is not what a sound `.json` says of it; *claimed*: both are as archived."""
    examined, octets = place.examined, place.octets
    if octets is None or place.document is None or examined.finding is not None:
        return
    if examined.raw_sha256 not in {None, octets.sha256} or examined.size not in {None, octets.size}:
        yield Finding(
            Code.ARCHIVED_SO if claimed else Code.EML_DIGEST,
            place.eml_path,
            f"SHA-256 {examined.raw_sha256}, {examined.size} bytes (raw_sha256 and size in the .json)",
            f"SHA-256 {octets.sha256}, {octets.size} bytes",
        )


def _described(claim: Claim, sha256: str | None) -> str:
    return f"SHA-256 {sha256} (journal {claim.journal}, line {claim.seq})"
