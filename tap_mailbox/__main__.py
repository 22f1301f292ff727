"""`python -m tap_mailbox`: the tap without its console script."""

from __future__ import annotations

from tap_mailbox.tap import main

if __name__ == "__main__":
    main()
