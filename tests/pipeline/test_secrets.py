"""No secret and nothing personal in any octet that leaves the processes, whatever goes right or wrong.

Every run logs at DEBUG. Searched are stdout, stderr, records, journal, state, archive, temporary directories,
homes and process arguments, for each secret that was used in any form. Token files alone hold tokens.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
import yaml
from cryptography.fernet import Fernet

from tests.pipeline.archiver import (
    CLIENT_SECRET,
    PASSWORD,
    PERSON,
    WRONG,
    Archiver,
    Microsoft,
    Other,
    World,
    mail,
    new_user,
)
from tests.pipeline.overheard import Overheard
from tests.pipeline.test_meltano import BIN, ROOT
from tests.servers.dovecot import Dovecot, User
from tests.servers.graph import Fault, GraphServer
from tests.servers.imap_script import ImapScript, sasl_plain
from tests.servers.oauth import Introspection
from tests.tap.runs import imap_account
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with (
        Microsoft() as entra,
        Other() as oauth,
        Introspection(entra, oauth) as introspection,
        Dovecot(oauth=introspection.url) as dovecot,
        GraphServer() as graph,
    ):
        graph.accept = entra.check
        box = graph.new_mailbox(PERSON)
        box.deliver(mail(1), folder=box.folder("Inbox"))
        oauth.rotate = True
        yield World(entra, oauth, dovecot, graph)


@pytest.fixture
def key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def archiver(tmp_path: Path, world: World) -> Iterator[Callable[..., Archiver]]:
    yield lambda **variables: Archiver(tmp_path, world, **variables)
    world.entra.echo = world.oauth.echo = False
    world.graph.faults.clear()


@pytest.mark.parametrize("form", ["{}", "x{}", "xy{}", "xyz{}"])
def test_secrets_are_found(tmp_path: Path, form: str) -> None:
    """The search sees a secret in clear, in Base64 at each offset, URL-encoded, and in process arguments."""
    heard = Overheard(tmp_path, {})
    said = form.format(WRONG)
    assert heard.run("echo", said)[0] == 0
    (tmp_path / "base64").write_bytes(base64.b64encode(f"{said}!".encode()))
    (tmp_path / "url").write_text(quote(said, safe=""))
    with heard.pipe(["sh", "-c", "sleep 0.2; :", said]):
        pass
    found = heard.found([WRONG])
    places = ["/base64", "/url", "/out/1-0.out", "process arguments"]
    assert [place for place in places if not any(each.endswith(place) for each in found)] == []


def test_password(archiver: Callable[..., Archiver], world: World, make_imap_script) -> None:
    """Right, wrong, and at a server that repeats the command."""
    here = archiver()

    def repeating(password: str) -> ImapScript:
        server: ImapScript = make_imap_script(capability="IMAP4rev1 AUTH=PLAIN")
        escaped = password.replace('"', '\\"')
        for command in ("LOGIN", "AUTHENTICATE"):
            said = f'LOGIN "{PERSON}" "{escaped}" or {password} {sasl_plain(PERSON, password)}'
            server.answer(command, f"{{tag}} NO [ALERT] {said} is no good\r\n")
        return server

    user = new_user(world)
    here.configure(
        imap_account(world.dovecot, user, name="right", tls="starttls", ca_file=str(world.dovecot.ca_file)),
        imap_account(world.dovecot, User(user.name, WRONG), name="wrong"),
        imap_account(repeating(PASSWORD), User(PERSON, PASSWORD), name="repeated"),
        imap_account(repeating(WRONG), User(PERSON, WRONG), name="wrong-repeated"),
    )
    assert here.run() == (3, 0)
    assert here.heard.run(*here.mailbox("check", "--json"))[0] == 3
    assert "DEBUG" in here.logs
    assert here.leaks() == []


def test_tokens_for_imap(archiver: Callable[..., Archiver], world: World, key: str) -> None:
    """XOAUTH2: renewed, rotated, refused, repeated; sealed token files hold no token in clear."""
    here = archiver(TAP_MAILBOX_KEY=key)
    user = new_user(world)
    here.configure(here.generic(user), here.microsoft(user))
    assert here.run() == (0, 0)
    world.oauth.revoke(user.name)
    world.entra.revoke(user.name)
    assert here.run() == (3, 0)
    world.entra.echo = world.oauth.echo = True
    assert here.run() == (3, 0)
    assert here.heard.run(*here.mailbox("check"))[0] == 3
    assert here.leaks(key) == []


def test_tokens_for_graph(archiver: Callable[..., Archiver], world: World) -> None:
    """Delegated and application permission: read, refused, repeated by Graph and by the sign-in service."""
    here = archiver()
    here.configure(here.outlook(delegated=True), here.outlook(delegated=False))
    assert here.run() == (0, 0)
    words = " ".join(world.entra.secrets)
    world.graph.faults.add(times=None, fault=Fault.status(403, code="ErrorAccessDenied", message=words))
    assert here.run() == (3, 0)
    world.graph.faults.add(
        times=None, fault=Fault.status(401, code="InvalidAuthenticationToken", message=words)
    )
    world.entra.echo = True
    assert here.run() == (3, 0)
    world.entra.echo = False
    world.entra.revoke(PERSON)
    assert here.run() == (3, 0)
    assert here.heard.run(*here.mailbox("check"))[0] == 3
    assert here.leaks() == []


def test_login_check_logout(archiver: Callable[..., Archiver], world: World) -> None:
    """By browser and by device: neither code nor verifier nor token is shown, kept elsewhere or passed on."""
    here = archiver()
    user = new_user(world)
    public = world.entra.new_app("consumers", secret=None, public=True)
    client = {"client_id": public.client_id, "tenant_id": "consumers"}
    outlook = here.outlook(delegated=True)
    outlook["auth"] = [{"method": "msal", **client, "token_file": "token-graph.json"}]
    here.configure(here.generic(user), outlook)
    world.oauth.user = user.name

    def approve(text: str) -> bool:
        found = re.search(r"https://\S+/authorize\S+", text)
        if found:
            with world.oauth.session() as session:
                answer = session.get(found[0], allow_redirects=False, timeout=20)
                answer.close()
            requests.get(answer.headers["Location"], timeout=20).close()
        return bool(found)

    def enter(text: str) -> bool:
        found = re.search(r"enter the code (\S+)", text)
        if found:
            world.entra.approve(found[1], PERSON)
        return bool(found)

    for name, act in (("generic", approve), ("delegated", enter)):
        with here.heard.pipe(here.mailbox("login", name, "--no-browser")) as (child,):
            wait_until(lambda act=act: act(here.heard.said("*.out")) or child.poll() is not None, seconds=60)
        assert child.returncode == 0, here.heard.said("*")
    assert here.heard.run(*here.mailbox("check"))[0] == 0
    assert here.run() == (0, 0)
    for name in ("generic", "delegated"):
        assert here.heard.run(*here.mailbox("logout", name))[0] == 0
    assert list(here.own.glob("token*.json")) == []
    assert here.leaks() == []


@pytest.mark.slow
def test_meltano(archiver: Callable[..., Archiver], world: World, key: str) -> None:
    """Its run logs, its database and its copies of the configuration hold none of it either."""
    here = archiver(TAP_MAILBOX_KEY=key)
    user = new_user(world)
    method = {"method": "password", "username": user.name, "password": "$MAIL_PASSWORD"}
    password = imap_account(world.dovecot, user, name="password", auth=[method])
    project = here.heard.root / "project"
    project.mkdir()
    document = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    for plugin in [*document["plugins"]["extractors"], *document["plugins"]["loaders"]]:
        if plugin.pop("pip_url", None):
            plugin["executable"] = str(BIN / plugin["executable"])
    prod = next(each for each in document["environments"] if each["name"] == "prod")
    config = prod["config"]["plugins"]["extractors"][0]["config"]
    config["accounts"] = [password, here.generic(user, "$CLIENT_SECRET"), here.outlook(delegated=True)]
    config["credentials_dir"] = str(here.own)
    (project / "meltano.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    here.heard.environment |= {
        "MELTANO_PROJECT_ROOT": str(project),
        "MELTANO_ENVIRONMENT": "prod",
        "ARCHIVE_PATH": str(here.heard.root / "archive"),
        "MAIL_PASSWORD": PASSWORD,
        "CLIENT_SECRET": CLIENT_SECRET,
    }
    pair = ["run", "--no-install", "tap-mailbox", "target-hashfs"]
    # At `debug` it shows the records themselves, which are personal and hold no secret.
    code, said = here.heard.run(BIN / "meltano", *pair)
    assert code == 0, said
    here.logs += said
    assert here.heard.run(BIN / "meltano", "--log-level=debug", *pair)[0] == 0
    world.oauth.echo = True
    world.oauth.revoke(user.name)
    code, said = here.heard.run(BIN / "meltano", *pair)
    assert code != 0
    here.logs += said
    assert here.leaks(key) == []
    assert any(path.suffix == ".db" for path in project.rglob("*"))
