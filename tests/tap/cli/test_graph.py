"""`check` and `folders` of Graph accounts: a person's, and an organisation's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.graph import Fault, GraphServer
from tests.servers.oauth import Entra
from tests.tap.cli.commands import mailbox, write_config
from tests.tap.graph.world import World


@pytest.fixture
def world(tmp_path: Path, entra: Entra) -> Iterator[World]:
    """Ann's mailbox with three messages."""
    with GraphServer() as graph:
        made = World(graph, entra, tmp_path)
        made.fill(3)
        yield made


def config(world: World, *accounts: dict[str, Any]) -> Path:
    return write_config(world.folder / "config.json", *accounts, credentials_dir=str(world.folder))


def check(path: Path, *names: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and what was found by account."""
    result = mailbox("check", *names, "--config", path, "--json")
    assert "fake-" not in result.output
    assert "eyJ" not in result.output
    return result.exit_code, {each["account"]: each for each in json.loads(result.stdout)["accounts"]}


def test_person(world: World) -> None:
    """Server, TLS, sign-in, the token's age, folders, messages."""
    code, found = check(config(world, world.account()))
    ann = found["ann"]
    assert (0, "msal", 3) == (code, ann["sign_in"], ann["messages"])
    assert ann["server"].startswith("127.0.0.1:")
    assert ann["tls"]["version"].startswith("TLSv1")
    assert ann["tokens"][0]["expires"] > ann["tokens"][0]["renewed"]


def test_bookmark_by_id(world: World) -> None:
    """The state knows a folder by its id, people by its name."""
    path = config(world, world.account())
    state = world.run().state
    (world.folder / "state.json").write_text(json.dumps(state))
    result = mailbox("folders", "ann", "--config", path, "--state", world.folder / "state.json")
    assert 0 == result.exit_code, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("Inbox\t"))
    _, special, read, messages, bookmark = line.split("\t")
    assert ("\\Inbox", "yes", "3") == (special, read, messages)
    assert bookmark.startswith("20")


def test_imported_bookmark(world: World) -> None:
    """An account's own last_received, as the legacy state has it, stands beside every folder without one."""
    legacy = json.dumps({"ann": {"last_received": "2026-06-05T10:30:45Z"}})
    path = config(world, world.account())
    (world.folder / "state.json").write_text(
        mailbox("import-state", "-", "--config", path, stdin=legacy).stdout
    )
    result = mailbox("folders", "ann", "--config", path, "--state", world.folder / "state.json")
    _, *folders = result.stdout.splitlines()
    assert {"2026-06-05T10:30:45Z"} == {line.split("\t")[-1] for line in folders}


def test_person_signed_out(world: World) -> None:
    """A revoked sign-in: the step, and the command that helps."""
    world.entra.revoke("ann@outlook.example")
    code, found = check(config(world, world.account()))
    assert (3, "sign-in") == (code, found["ann"]["failed"])
    assert "mailbox login ann" in found["ann"]["error"]


def test_organisation(world: World) -> None:
    """Every mailbox is an account of its own; one that is not there is passed over under "*", a failure if listed."""
    world.graph.new_mailbox("bob@contoso.example")
    every = config(world, world.organisation(mailboxes="*"))
    code, found = check(every)
    assert 0 == code
    assert found["bob@contoso.example"]["ok"]
    assert ["bob@contoso.example"] == list(check(every, "bob@contoso.example")[1])
    listed = world.organisation(mailboxes=["Bob@contoso.example", "nobody@contoso.example"])
    code, found = check(config(world, listed))
    assert 3 == code
    assert {"bob@contoso.example": True, "nobody@contoso.example": False} == {
        name: each["ok"] for name, each in found.items()
    }
    result = mailbox("folders", "bob@contoso.example", "--config", config(world, listed))
    assert (0, True) == (result.exit_code, "\nInbox\t" in result.stdout)


def test_passed_over_is_not_in_order(world: World) -> None:
    """A mailbox found under "*" that cannot be read fails nothing, and is not counted among those in order."""
    world.graph.new_mailbox("bob@contoso.example")
    fault = Fault.status(403, code="ErrorAccessDenied")
    world.graph.faults.add(path="/users/bob@contoso.example", times=None, fault=fault)
    result = mailbox("check", "--config", config(world, world.organisation(mailboxes="*")))
    assert 0 == result.exit_code, result.output
    assert "1 account in order, 1 passed over\n" in result.stdout


def test_organisation_that_refuses(world: World) -> None:
    """The permission that is missing for "*" is named."""
    account = world.organisation(mailboxes="*")
    fields = json.loads((world.folder / "org.json").read_text())
    (world.folder / "org.json").write_text(json.dumps({**fields, "client_secret": "fake-wrong"}))
    code, found = check(config(world, account))
    assert (3, "sign-in", True) == (
        code, found["contoso"]["failed"], "client secret is wrong" in found["contoso"]["error"],
    )  # fmt: skip
