"""Archives a small mailbox with `meltano run`, shows what came of it, and that a second run changes nothing.

The project is this repository with its own meltano.yml; database, archive and everything else that a run
leaves behind lie in a temporary directory. Exit code 0: everything was as promised.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from demo.messages import FACTS, mailbox
from demo.server import serving

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STATE_ID = "demo:tap-mailbox-to-target-hashfs"
RUN = ["run", "--no-install", "tap-mailbox", "target-hashfs"]
RUN_SECONDS = 300
WIDTH = 84


class Broken(Exception):
    """Something is not as promised."""


def main() -> int:
    """Run the demo; returns the exit code."""
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda signum, _frame: sys.exit(128 + signum))  # by way of the clean-up
    # A short name, and gone at the end, whatever happens.
    with tempfile.TemporaryDirectory(prefix="mail-demo-") as directory:
        try:
            demonstrate(Path(directory))
        except Broken as error:
            print(f"\nNOT as promised: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print(f"\nEverything as promised, in {time.monotonic() - started:.0f} s.")
    return 0


def demonstrate(directory: Path) -> None:
    """Do it all in *directory*.

    Raises:
        Broken: something is not as promised.
    """
    account = demo_account()
    sign_in = account["auth"][0]
    title(f"A mail server with {FACTS.messages} messages in 4 folders")
    samples = mailbox()
    log = directory / "server.log"
    with serving(samples, user=sign_in["username"], password=sign_in["password"], log=log) as port:
        for folder in dict.fromkeys(sample.folder for sample in samples):
            print(f"  {folder:18} {sum(sample.folder == folder for sample in samples):3} messages")
        archive = directory / "archive"
        project = Project(directory, archive, [{**account, "port": port}])

        title("$ meltano run tap-mailbox target-hashfs")
        project.show(project.meltano(*RUN))
        files, journal = tree(archive), journal_lines(archive)
        title("The archive")
        show_tree(archive, files)
        check_archive(files, journal)
        title("One message (shortened)")
        show_record(archive)
        title(f"The bookmark:  $ meltano state get {STATE_ID}")
        state = json.loads(project.meltano("state", "get", STATE_ID).stdout)
        print(indented(json.dumps(state["singer_state"], ensure_ascii=False, indent=1)))

        title("$ meltano run tap-mailbox target-hashfs      (again)")
        project.show(project.meltano(*RUN))
        check_second_run(archive, files, journal)


def demo_account() -> dict[str, Any]:
    """Return the account of meltano.yml's demo environment; only its port is chosen here."""
    document = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    demo = next(each for each in document["environments"] if each["name"] == "demo")
    account: dict[str, Any] = demo["config"]["plugins"]["extractors"][0]["config"]["accounts"][0]
    return account


class Project:
    """This repository as a Meltano project whose traces lie elsewhere."""

    def __init__(self, directory: Path, archive: Path, accounts: list[dict[str, Any]]) -> None:
        system = directory / "meltano"
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MELTANO_", "TAP_MAILBOX_", "TARGET_HASHFS_", "SINGER_"))
        } | {
            "HOME": str(directory),
            "NO_COLOR": "1",
            "MELTANO_PROJECT_ROOT": str(ROOT),
            "MELTANO_SYS_DIR_ROOT": str(system),
            "MELTANO_DATABASE_URI": f"sqlite:///{system}/meltano.db",
            "MELTANO_STATE_BACKEND_URI": "systemdb",
            "MELTANO_ENVIRONMENT": "demo",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "TAP_MAILBOX_ACCOUNTS": json.dumps(accounts),
            "TARGET_HASHFS_PATH": str(archive),
        }
        # `meltano install` gives each plugin an environment of its own. Here both are what `make setup` has
        # filled, so that the demo needs no network and no second download.
        for place in ("extractors/tap-mailbox", "loaders/target-hashfs"):
            (system / place).mkdir(parents=True)
            (system / place / "venv").symlink_to(sys.prefix)

    def meltano(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Meltano; its log is in stderr."""
        done = subprocess.run(
            [BIN / "meltano", *arguments],
            env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=RUN_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            raise Broken(f"meltano {arguments[0]} ended with exit code {done.returncode}")
        return done

    @staticmethod
    def show(done: subprocess.CompletedProcess[str]) -> None:
        """Print what the plugins said of their work, without the clock."""
        for line in done.stderr.splitlines():
            found = re.match(r"\S+ \[(\w+) *\] (tap-mailbox|target-hashfs) +(.*)", line)
            if found and (found[1] != "info" or re.search(r"summary|archived", found[3])):
                print(f"  {found[2]:13} {found[3]}")


def tree(archive: Path) -> dict[str, tuple[str, int]]:
    """Return digest and time of every message file; journal and state change with every run."""
    return {
        path.relative_to(archive).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(archive.rglob("*"))
        if path.is_file() and path.relative_to(archive).parts[0] not in {"_journal", "_state"}
    }


def journal_lines(archive: Path) -> list[bytes]:
    """Return the lines of the journal."""
    return (archive / "_journal" / "live-poll.jsonl").read_bytes().splitlines()


def check_archive(files: dict[str, tuple[str, int]], journal: list[bytes]) -> None:
    """Hold the archive against what is known of the samples.

    Raises:
        Broken: they do not fit.
    """
    expected = FACTS.messages - FACTS.duplicates
    messages = [path for path in files if path.startswith("demo/") and path.endswith(".json")]
    octets = [path for path in files if path.endswith(".eml")]
    variants = [path for path in messages if Path(path).name.count(".") == 2]
    promise(len(messages) == expected, f"{expected} .json files, found {len(messages)}")
    promise(len(octets) == expected, f"{expected} .eml files, found {len(octets)}")
    promise(len(variants) == FACTS.variants, f"{FACTS.variants} variant, found {len(variants)}")
    sent = {hashlib.sha256(sample.octets).hexdigest() for sample in mailbox()}
    kept = {files[path][0] for path in octets}
    promise(sent == kept, "every .eml is, octet for octet, a message of the mailbox, and none is missing")
    previous = "0" * 64
    for line in journal:
        promise(
            json.loads(line)["prev"] == previous, "each line of the journal names the hash of the one before"
        )
        previous = hashlib.sha256(line).hexdigest()
    kinds = [json.loads(line)["event"] for line in journal]
    promise(
        kinds.count("archived") + kinds.count("variant") == expected, f"{expected} messages in the journal"
    )
    print(f"""
  {FACTS.messages} messages in, {expected} archived: one lay in two folders, and a mailing list's copy with
  the same Message-ID and another body stands beside the original. Every .eml has the server's octets.
  The journal has {len(journal)} lines, each with the hash of the one before.""")


def check_second_run(archive: Path, files: dict[str, tuple[str, int]], journal: list[bytes]) -> None:
    """See that a second run changed nothing.

    Raises:
        Broken: it did.
    """
    promise(tree(archive) == files, "no file was written, changed or touched by the second run")
    now = journal_lines(archive)
    promise(now[: len(journal)] == journal, "the journal only grows")
    added = [json.loads(line)["event"] for line in now[len(journal) :]]
    promise(added == ["commit"], f"the journal is longer by one commit line, found {added}")
    print(f"  No file written, changed or touched ({len(files)} files compared by SHA-256 and time).")
    print("  The journal is longer by the one line that says so.")


def promise(kept: bool, what: str) -> None:  # noqa: FBT001
    """Go on if the promise was kept.

    Raises:
        Broken: it was not.
    """
    if not kept:
        raise Broken(what)


def show_tree(archive: Path, files: dict[str, tuple[str, int]]) -> None:
    """Print the paths, a directory's files on as few lines as need be."""
    print("  hashfs.json")
    for directory in sorted({Path(path).parent.as_posix() for path in files} - {"."}):
        names = [Path(path).name for path in files if Path(path).parent.as_posix() == directory]
        shown = [*names[:2], f"... {len(names) - 2} more"] if len(names) > 3 else names
        print(f"  {directory}/  {'  '.join(shown)}")
    for path in sorted([*archive.glob("_journal/*"), *archive.glob("_state/*")]):
        print(f"  {path.relative_to(archive).as_posix()}  {path.stat().st_size} bytes")


def show_record(archive: Path) -> None:
    """Print the record of the message with three attachments."""
    for path in sorted(archive.glob("demo/*/*/*.json")):
        record = json.loads(path.read_bytes())
        if record["message_id"] == "<demo-011@example.org>":
            print(f"  {path.relative_to(archive).as_posix()}")
            for key, value in record.items():
                text = json.dumps(value, ensure_ascii=False)
                print(f"    {json.dumps(key)}: {text if len(text) <= WIDTH else text[: WIDTH - 3] + '...'}")


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def indented(text: str) -> str:
    """Return the text two columns to the right."""
    return "\n".join(f"  {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
