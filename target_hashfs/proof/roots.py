"""The Merkle roots of an archive: of each month, each account, and the whole; pure.

What is hashed, all of it in UTF-8 and sorted by its bytes:

    month     a leaf for each file in <account>/<YYYY>/<MM>: its path, a newline, its SHA-256 in hex
    account   a leaf for each month: <account>/<YYYY>/<MM>, a newline, the root of the month in hex
    whole     a leaf for each account: its name, a newline, the root of the account in hex

A path is relative to the archive. Regular files count, whatever their name, but for temporary ones; a
directory without any makes no leaf. Journals, state and quarantine stay aside: they say how the archive came
to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_hashfs.errors import ConfigError
from target_hashfs.proof.merkle import MerkleTree, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FORMAT = "hashfs-root"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Root:
    """The root of a tree."""

    root: str
    """Hex."""
    files: int
    """Below it."""

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `parse` reads."""
        return {"root": self.root, "files": self.files}

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Root:
        """Return the root in *document*; another document raises some error of Python's."""
        return Root(str(document["root"]), int(document["files"]))


@dataclass(frozen=True, slots=True)
class AccountRoot(Root):
    """The root of an account."""

    months: dict[str, Root]
    """By `2026/06`, sorted."""

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `parse` reads."""
        months = {month: each.as_dict() for month, each in self.months.items()}
        return {"root": self.root, "files": self.files, "months": months}

    @classmethod
    def parse(cls, document: dict[str, Any]) -> AccountRoot:
        """Return the account in *document*; another document raises some error of Python's."""
        months = {str(month): Root.parse(each) for month, each in document["months"].items()}
        return cls(str(document["root"]), int(document["files"]), months)


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots of an archive."""

    whole: Root | None
    """None when only one account was asked for."""
    accounts: dict[str, AccountRoot]
    """By name, sorted."""

    @classmethod
    def of(cls, months: dict[str, Root], *, whole: bool) -> Roots:
        """Return what the roots of *months*, by directory, come to."""
        grouped: dict[str, dict[str, Root]] = {}
        for directory in sorted(months):
            if months[directory].files:
                account, _, month = directory.partition("/")
                grouped.setdefault(account, {})[month] = months[directory]
        accounts = {}
        for name, found in sorted(grouped.items()):
            root = _combine({f"{name}/{month}": each for month, each in found.items()})
            accounts[name] = AccountRoot(root.root, root.files, found)
        return cls(_combine(accounts) if whole else None, accounts)

    def as_dict(self) -> dict[str, Any]:
        """Return the roots as `Roots.parse` reads them; equal archives give equal documents."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "root": self.whole.root if self.whole else None,
            "files": self.whole.files if self.whole else None,
            "accounts": {name: account.as_dict() for name, account in self.accounts.items()},
        }

    @classmethod
    def parse(cls, document: Any) -> Roots:  # noqa: ANN401 - JSON
        """Return the roots in *document*.

        Raises:
            ConfigError: `as_dict` did not make it.
        """
        try:
            known = (document["format"], document["version"]) == (_FORMAT, _VERSION)
            accounts = {str(name): AccountRoot.parse(each) for name, each in document["accounts"].items()}
            whole = None if document["root"] is None else Root.parse(document)
        except (KeyError, TypeError, ValueError, AttributeError):
            known = False
        if not known:
            raise ConfigError(
                f'expected roots as hashfs root --write writes them ("format": "{_FORMAT}", "version": '
                f"{_VERSION}), found another document"
            )
        return cls(whole, accounts)

    def only(self, account: str) -> Roots:
        """Return the roots of one account."""
        return Roots(None, {name: each for name, each in self.accounts.items() if name == account})

    def lines(self) -> Iterator[tuple[str, Root]]:
        """Yield every name and its root, from the months to the whole, which is called `.`."""
        for name, account in self.accounts.items():
            for month, root in account.months.items():
                yield f"{name}/{month}", root
            yield name, account
        if self.whole is not None:
            yield ".", self.whole


def _combine(parts: Mapping[str, Root]) -> Root:
    tree = MerkleTree()
    for name, part in sorted(parts.items()):
        tree.add(leaf_hash(f"{name}\n{part.root}".encode()))
    return Root(tree.root().hex(), sum(part.files for part in parts.values()))


def differences(expected: Roots, found: Roots) -> Iterator[tuple[str, Root | None, Root | None]]:
    """Yield each name whose root differs, with both roots; None for one that is not there."""
    old, new = dict(expected.lines()), dict(found.lines())
    for name in sorted(old.keys() | new.keys(), key=lambda name: (name == ".", name)):
        one, other = old.get(name), new.get(name)
        if one is None or other is None or one.root != other.root:
            yield name, one, other
