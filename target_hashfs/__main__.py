"""`python -m target_hashfs`: the same command as `target-hashfs`."""

from __future__ import annotations

from target_hashfs.target import main

if __name__ == "__main__":
    main()
