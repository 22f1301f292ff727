"""Coverage-guided fuzzing of `parse_message`: any octets give one record, in time.

    pip install atheris lxml
    python fuzz/fuzz_mime.py -max_total_time=600 -max_len=65536 FOUND_DIR [SEED_DIR ...]

libFuzzer keeps what reaches new code in FOUND_DIR, and stops at the first input that breaks a promise.
Such an input becomes a test.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))

with atheris.instrument_imports(include=["tap_mailbox"]):
    from tap_mailbox.mime import parse_message

INTERNAL_DATE = datetime(2026, 6, 5, 10, 30, 45, tzinfo=UTC)
SLOWEST_SECONDS = 2.0  # instrumented code runs some ten times slower


def check(octets: bytes) -> None:
    """Break where a promise of `parse_message` is broken."""
    begun = time.process_time()
    message = parse_message(octets, internal_date=INTERNAL_DATE)
    assert time.process_time() - begun < SLOWEST_SECONDS, "slow"
    assert not {"unreadable-body", "unreadable-message"} & set(message.defects), "a reader raised"
    text = json.dumps(dataclasses.asdict(message), ensure_ascii=False)
    text.encode("utf-8")  # no lone surrogate
    assert "\\u0000" not in text.replace("\\\\", ""), "NUL"
    assert message == parse_message(octets, internal_date=INTERNAL_DATE), "not deterministic"


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
