"""`python -m tap_mailbox`: the tap without its console script."""

from __future__ import annotations

from tap_mailbox.tap import TapMailbox

TapMailbox.cli()
