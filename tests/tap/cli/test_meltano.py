"""The configuration as Meltano hands it to the tap: ours compared with Meltano's own, and what is said of errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.cli.meltano import Project
from tests.servers.dovecot import Dovecot
from tests.tap.cli.commands import mailbox
from tests.tap.cli.meltano_project import DOCUMENT, DOTENV, INCLUDED, SHELL

ROOT = Path(__file__).parents[3]
MELTANO = Path(sys.executable).parent / "meltano"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with everything at once; we stand below its root."""
    root = tmp_path / "project"
    (root / "below").mkdir(parents=True)
    (root / "meltano.yml").write_text(yaml.safe_dump(DOCUMENT))
    (root / "more.yml").write_text(yaml.safe_dump(INCLUDED))
    (root / ".env").write_text(DOTENV)
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(root / "below")
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extractor", "environment", "variables"),
    [
        ("tap-mailbox", "dev", {}),
        (
            "tap-mailbox--work",
            "empty",
            {"TAP_MAILBOX_LIMITS": '{"depth": 1}', "TAP_MAILBOX__WORK_MAX_WAIT": "1"},
        ),
        ("grandchild", "included", {"GRANDCHILD_LIMITS_DEPTH": "2", "TAP_MAILBOX_CREDENTIALS_DIR": "$BASE"}),
    ],
)
def test_as_meltano(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    extractor: str,
    environment: str,
    variables: dict[str, str],
) -> None:
    """Variables, .env, environments, inheritance, includes: what we find is what `meltano config print` prints."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [
            MELTANO,
            "--log-level=error",
            "--environment",
            environment,
            "config",
            "--unsafe",
            "print",
            extractor,
        ],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert json.loads(done.stdout) == Project(project, environment=environment).config(extractor)


def test_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the option, else MELTANO_ENVIRONMENT (`null` is none), else the project's default."""
    assert "dev" == Project(project, environment=None).environment
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "empty")
    assert "empty" == Project(project, environment=None).environment
    assert "included" == Project(project, environment="included").environment
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "null")
    assert Project(project, environment=None).environment is None


def test_own_project() -> None:
    """The repository's meltano.yml gives the demo account, by the path it is found on."""
    config = Project(ROOT, environment=None).config("tap-mailbox")
    assert ["demo"] == [account["name"] for account in config["accounts"]]


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({}, ["--extractor", "tap-mial"], "no extractor is named 'tap-mial'; there are: grandchild, tap-mailbox, "),
        ({}, ["--environment", "prod"], "no environment is named 'prod'; there are: dev, empty, included"),
        ({"meltano.yml": "a: [fake-secret"}, [], "meltano.yml is not YAML (line 1)"),
        ({"meltano.yml": "- fake-secret"}, [], "meltano.yml: expected a mapping of keys, found list"),
        ({"more.yml": "a: 'fake-secret"}, [], "more.yml is not YAML"),
        ({".env": "TAP_MAILBOX_ONLY=fake-secret"}, [], "setting only: what its variable holds is no array"),
        ({".env": "TAP_MAILBOX_MAX_WAIT=1\nTAP_MAILBOX_RECONCILE_DAYS=fake-secret"}, [], "setting reconcile_days"),
        ({"meltano.yml": "plugins: {extractors: [{name: tap-mailbox}]}"}, [], "has no accounts"),
        ({"meltano.yml": "plugins: {extractors: [{name: tap-mailbox, inherit_from: x}]}"}, [], "unknown plugin"),
        ({"more.yml": "plugins: {extractors: [{name: a, inherit_from: b}, {name: b, inherit_from: a}]}"},
         ["--extractor", "a"], "inherits from itself"),
        ({}, [], "account 'a': protocol is missing"),
    ],
)  # fmt: skip
def test_errors(project: Path, change: dict[str, str], arguments: list[str], words: str) -> None:
    """Exit 1; file, plugin and key are named, no value is."""
    for name, content in change.items():
        (project / name).write_text(content)
    result = mailbox("check", *arguments)
    assert (1, "") == (result.exit_code, result.stdout)
    assert words in result.stderr
    assert "fake" not in result.stderr


@pytest.fixture
def only_accounts(project: Path) -> Callable[[dict[str, Any]], None]:
    """Give the project one account and nothing else."""

    def write(account: dict[str, Any]) -> None:
        plugin = {**DOCUMENT["plugins"]["extractors"][0], "config": {"accounts": [account]}, "env": {}}
        document = {**DOCUMENT, "include_paths": [], "plugins": {"extractors": [plugin]}}
        (project / "meltano.yml").write_text(yaml.safe_dump(document))

    return write


KEYS = st.sampled_from(
    [
        "plugins",
        "extractors",
        "environments",
        "config",
        "name",
        "tap-mailbox",
        "settings",
        "env",
        "inherit_from",
        "a.b",
    ]
)
TREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["tap-mailbox", "dev", "$HOME", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(plugin=st.dictionaries(KEYS, TREE, max_size=4), document=st.dictionaries(KEYS, TREE, max_size=3))
def test_any_shape(tmp_path_factory: pytest.TempPathFactory, plugin: dict, document: dict) -> None:
    """Whatever stands in meltano.yml: a configuration, or an error that names the file."""
    root = tmp_path_factory.mktemp("shape")
    shaped = {"plugins": {"extractors": [{"name": "tap-mailbox", **plugin}]}, **document}
    (root / "meltano.yml").write_text(yaml.safe_dump(shaped))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MELTANO_PROJECT_ROOT", str(root))
        result = mailbox("check")
    assert result.exit_code in (0, 1, 3)
    assert 0 == result.exit_code or "meltano.yml" in result.stderr or "account" in result.stderr


def test_paths_start_at_the_root(project: Path, only_accounts: Callable) -> None:
    """Below the root as at it: credentials_dir is relative to the project."""
    auth = [{"method": "password", "credential_file": "mail.json"}]
    account = {"name": "a", "protocol": "imap", "email": "a@example.org", "host": "127.0.0.1", "port": 1}
    only_accounts({**account, "tls": "none", "auth": auth})
    result = mailbox("folders", "a", "--environment", "empty")
    assert (3, True) == (result.exit_code, str(project / "credentials" / "mail.json") in result.stderr)


def test_key_in_dotenv(
    project: Path, only_accounts: Callable, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TAP_MAILBOX_KEY may stand in .env, as for a run: an encrypted token file is read with it."""
    key = Fernet.generate_key().decode()
    method = {
        "method": "xoauth2",
        "client_id": "c",
        "token_url": "https://127.0.0.1:1/",
        "token_file": "t.json",
    }
    account = {
        "name": "a",
        "protocol": "imap",
        "email": "a@example.org",
        "host": "127.0.0.1",
        "port": free_port,
    }
    only_accounts({**account, "tls": "none", "auth": [method]})
    (project / "credentials").mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("TAP_MAILBOX_KEY", key)
        fields = {"refresh_token": "fake-secret", "updated": "2026-01-01T00:00:00Z"}
        TokenFile(project / "credentials" / "t.json").write(fields)
    result = mailbox("check", "--environment", "empty")
    assert (1, True) == (result.exit_code, "TAP_MAILBOX_KEY" in result.stderr)
    (project / ".env").write_text(f"TAP_MAILBOX_KEY={key}\n")
    result = mailbox("check", "--environment", "empty")
    assert (3, True) == (result.exit_code, "xoauth2: renewed" in result.stdout)


def test_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do when there is no configuration at all."""
    monkeypatch.chdir(tmp_path)
    result = mailbox("check")
    assert (1, True) == (result.exit_code, "--config FILE" in result.stderr)


@pytest.mark.slow
def test_state_of_meltano(project: Path, only_accounts: Callable, dovecot: Dovecot) -> None:
    """What `import-state` prints, `meltano state set` takes, and `folders --state-id` shows."""
    user = dovecot.new_user()
    auth = [{"method": "password", "username": user.name, "password": user.password}]
    account = {
        "name": "a",
        "protocol": "imap",
        "email": user.email,
        "host": "127.0.0.1",
        "port": dovecot.port,
    }
    only_accounts({**account, "tls": "none", "auth": auth})
    printed = mailbox("import-state", "-", "--environment", "empty", stdin='{"a": {"last_uid": 41}}')
    assert (0, "") == (printed.exit_code, printed.stderr)
    (project / "state.json").write_text(printed.stdout)
    identity = "empty:tap-mailbox-to-target-hashfs"
    subprocess.run(
        [MELTANO, "--environment=empty", "state", "set", "--force", identity, "--input-file", "state.json"],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
        check=True,
    )
    result = mailbox("folders", "a", "--environment", "empty", "--state-id", identity)
    assert 0 == result.exit_code, result.stderr
    assert "INBOX\t\\Inbox\tyes\t0\tUID 41" in result.stdout
