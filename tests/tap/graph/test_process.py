"""The tap as a process: a signal ends it in time, and nothing it writes holds a secret or a piece of mail."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.servers.graph import Fault
from tests.tap.graph.world import ANN, entry_of

TAP = [sys.executable, "-m", "tap_mailbox"]
BODY = "Geheimnis 4711 fake"


def start(world, state=None, **config) -> subprocess.Popen[str]:
    """Start the tap over Ann's account."""
    folder: Path = world.folder
    document = {"accounts": [world.account()], "credentials_dir": str(folder), **config}
    (folder / "config.json").write_text(json.dumps(document))
    command = [*TAP, "--config", str(folder / "config.json")]
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
        command += ["--state", str(folder / "state.json")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def states(out: str) -> list[dict]:
    """Return every STATE."""
    return [line["value"] for line in map(json.loads, out.splitlines()) if line["type"] == "STATE"]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (r"/mailFolders/inbox\?", Fault.delay(60)),
        (r"messages/delta", Fault.status(429, retry_after=60)),
        (r"/\$value", Fault.slow(50)),
        (r"/\$value", Fault.status(429, message="MailboxConcurrency")),
    ],
)
def test_signal(world, path, fault):
    """While the service is silent, drips or wants us to wait: 143 within 5 s, and the old link stays."""
    world.fill(3)
    first = world.run()
    world.fill(range(3, 9))
    reached = threading.Event()
    world.graph.faults.add(path=path, times=None, fault=fault)
    pattern = re.compile(path)

    def hook(request):
        if pattern.search(request.target):
            reached.set()

    world.graph.hook = hook
    process = start(world, first.state)
    assert reached.wait(timeout=30)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert 143 == process.returncode
    assert "status=interrupted" in log
    assert "no orderly end" not in log
    assert entry_of(first.state)["delta_link"] == entry_of(states(out)[-1])["delta_link"]
    world.graph.faults.clear()
    world.graph.hook = None
    world.graph.throttle.enabled = False
    done = world.run(states(out)[-1])
    assert {str(number) for number in range(3, 9)} <= {*re.findall(r"<(\d+)@example", out), *done.ids}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signal_in_the_middle_of_a_walk(world, signum):
    """What its last STATE does not cover the next run reads: nothing is lost, whatever ended it."""
    world.fill(60)
    world.graph.quirks.page_size_cap, world.graph.quirks.generations = 5, 1000
    reached = threading.Event()
    world.graph.quirks.latency = 0.005

    def hook(_):
        if world.fetched() > 30:
            reached.set()

    world.graph.hook = hook
    process = start(world)
    assert reached.wait(timeout=30)
    began = time.monotonic()
    process.send_signal(signum)
    out, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert process.returncode == (-9 if signum is signal.SIGKILL else 128 + signum)
    world.graph.quirks.latency = 0
    lines = [json.loads(line) for line in out.splitlines() if line.endswith("}")]
    covered = max((number for number, line in enumerate(lines) if line["type"] == "STATE"), default=-1)
    before = {line["record"]["message_id"] for line in lines[: covered + 1] if line["type"] == "RECORD"}
    world.graph.throttle.enabled = False
    done = world.run(lines[covered]["value"] if covered >= 0 else None)
    assert 60 == len(before | {each["message_id"] for each in done.records})


def secrets(world) -> list[str]:
    """Return everything that no output may hold."""
    fields = json.loads((world.folder / "token.json").read_text())
    return [fields["access_token"], fields["refresh_token"], "fake-secret", "fake-old", "fake-refresh"]


TROUBLES = {
    "none": (0, None),
    "token refused": (3, {"path": r"/\$value", "fault": Fault.status(401)}),
    "octets refused": (
        0,
        {"path": r"/\$value", "fault": Fault.status(403, code="X", message=f"No {ANN}: {BODY}")},
    ),
    "message refused": (
        3,
        {"path": r"/messages/[^d]", "fault": Fault.status(400, code=f"E {BODY}", message=BODY)},
    ),
    "odd page": (
        0,
        {"path": "delta", "fault": Fault.body(b'{"value": [{"id": {}}, 7], "@odata.nextLink": 7}')},
    ),
    "limit": (3, {"path": "delta", "fault": Fault.status(429, retry_after=9999)}),
    "redirect": (3, {"path": "delta", "fault": Fault.redirect("https://graph.invalid/?token=fake-secret")}),
    "no JSON": (0, {"path": "delta", "times": 1, "fault": Fault.body(BODY.encode())}),
    "surrogate": (
        0,
        {
            "path": "delta",
            "times": 1,
            "fault": Fault.body(b'{"value": [{"id": "\\ud800"}], "@odata.deltaLink": "x"}'),
        },
    ),
}


@pytest.mark.parametrize(("code", "trouble"), TROUBLES.values(), ids=TROUBLES)
def test_no_secret_and_no_mail(world, code, trouble):
    """Tokens and secrets in no output at all; subjects, addresses and bodies in no line of the log."""
    world.write_token({**world.token_file, "access_token": "fake-old"})
    before = secrets(world)
    world.box.deliver(
        f"Message-ID: <m1@hidden.example>\r\nFrom: Eve <eve@hidden.example>\r\nTo: {ANN}\r\n"
        f"Subject: Betreff 4712\r\n\r\n{BODY}\r\n".encode()
    )
    world.fill(3)
    if trouble:
        world.graph.faults.add(**{"times": None, **trouble})
    process = start(world)
    out, log = process.communicate(timeout=60)
    assert code == process.returncode
    for each in {*before, *secrets(world)}:
        assert each not in out
        assert each not in log
    for text in (BODY, "Geheimnis", "Betreff", "hidden.example", "m1@", "Message 1", "example.org"):
        assert text not in log
    assert "Traceback" not in log
    assert "unexpected" not in log
