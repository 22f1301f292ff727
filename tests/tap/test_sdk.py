"""The SDK's own suites for taps."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_mailbox.tap import TapMailbox
from tests.tap.runs import files_account, mail

# The suite wants its configuration when the module is imported, before any fixture.
TREE = Path(tempfile.mkdtemp(prefix="sdk-suite-"))


@pytest.fixture(scope="module", autouse=True)
def _tree():
    """Three messages, gone with the module."""
    for number in range(3):
        (TREE / f"{number}.eml").write_bytes(mail(number))
    yield
    shutil.rmtree(TREE)


TestTapMailbox = get_tap_test_class(
    TapMailbox,
    config={"accounts": [files_account(TREE)], "workers": 0},
    suite_config=SuiteConfig(ignore_no_records_for_streams=["imap_messages", "graph_messages"]),
)
