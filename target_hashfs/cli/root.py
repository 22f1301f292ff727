"""`hashfs root`: the Merkle roots, printed, kept elsewhere, or compared with those that were."""

from __future__ import annotations

import json
import os
import stat
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from target_hashfs.cli.arguments import account_option, archive_path, jobs_option, json_option
from target_hashfs.errors import ConfigError, TargetError
from target_hashfs.proof.hashing import compute_roots
from target_hashfs.proof.roots import Roots, differences
from target_hashfs.store import Kind, Store

if TYPE_CHECKING:
    from typing import IO

    from target_hashfs.proof.roots import Root


@click.command()
@archive_path
@account_option
@jobs_option
@click.option(
    "--write",
    "written",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the roots to FILE too, to be kept outside the archive.",
)
@click.option(
    "--check",
    "kept",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Compare with the roots in FILE, and say what differs.",
)
@json_option("One document, as --write writes it.")
def root(
    path: Path, account: str | None, jobs: int, written: Path | None, kept: IO[str] | None, *, as_json: bool
) -> None:
    """Condense the archive to one number: archives of the same mail have the same.

    Prints the Merkle root (RFC 6962) of each month, of each account, and last of the whole, called `.`; what
    is hashed is told in docs/verify-by-hand.md. Journals and state are left aside.

    Exit 0; 1: with --check, something differs.
    """
    if written is not None:
        _require_place(written, path)
    expected = _read(kept) if kept is not None else None
    roots = compute_roots(path, account, jobs=jobs)
    document = json.dumps(roots.as_dict(), indent=2) + "\n"
    if written is not None:
        _write(written, document)
    if expected is not None:
        sys.exit(_compare(expected.only(account) if account else expected, roots, as_json=as_json))
    if as_json:
        click.echo(document, nl=False)
    else:
        for name, each in roots.lines():
            click.echo(f"{each.root}  {name}")


def _read(file: IO[str]) -> Roots:
    try:
        return Roots.parse(json.load(file))
    except ValueError:
        raise ConfigError("--check: expected a file that --write wrote, found no JSON") from None


def _require_place(path: Path, archive: Path) -> None:
    """Refuse *path*, before hours of work, unless it is a file or nothing, outside the *archive*."""
    with suppress(OSError):  # then nothing is there
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            found = Kind.LINK if stat.S_ISLNK(mode) else Kind.SPECIAL
            raise click.UsageError(
                f"--write: expected a file or nothing at {path}, found {found.value}; name another FILE"
            )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise click.UsageError(
            f"--write: expected a directory to write {path} in, found none that this user may write to; "
            "create it or name another FILE"
        )
    if archive.resolve() in path.resolve().parents:
        raise click.UsageError("--write: expected a file outside the archive, found one inside")


def _write(path: Path, document: str) -> None:
    """Put *document* in the place of *path*, at once and durably.

    Raises:
        TargetError: it cannot be written.
    """
    try:
        _replace(path, document.encode())
    except OSError as error:
        raise TargetError(
            f"--write: writing {path} failed: {error.strerror}; name a FILE that can be written"
        ) from None


def _replace(path: Path, content: bytes) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        store = Store(directory)
        temporary = f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            store.write(temporary, content, fsync=True)
            store.replace(temporary, path.name)
        finally:
            store.remove(temporary)
        store.fsync_directories({""})
    finally:
        os.close(directory)


def _compare(expected: Roots, found: Roots, *, as_json: bool) -> int:
    """Print what differs; return the exit code."""
    different = list(differences(expected, found))
    if as_json:
        rows = [
            {"name": name, "expected": one and one.as_dict(), "found": other and other.as_dict()}
            for name, one, other in different
        ]
        click.echo(json.dumps({"same": not rows, "differences": rows}, indent=2))
        return 1 if rows else 0
    for name, one, other in different:
        click.echo(f"{name}: expected {_described(one)}, found {_described(other)}")
    if different:
        click.echo("differs: run hashfs verify on both; where both are sound, one has mail the other has not")
    else:
        click.echo(f"same: {found.whole.root if found.whole else ', '.join(found.accounts)}")
    return 1 if different else 0


def _described(root: Root | None) -> str:
    return "nothing" if root is None else f"{root.root} ({root.files:,} files)"
