"""`python -m tap_mailbox.cli`: the `mailbox` command without its console script."""

from __future__ import annotations

from tap_mailbox.cli import main

if __name__ == "__main__":
    main()
