"""`python -m target_hashfs.cli`: the same command as `hashfs`."""

from __future__ import annotations

from target_hashfs.cli import main

if __name__ == "__main__":
    main(prog_name="hashfs")
