"""Lets STATE leave on standard output, and says why when it cannot."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from target_hashfs.errors import TargetError

if TYPE_CHECKING:
    from target_hashfs.state import State


def require_output() -> None:
    """Refuse to begin without a place for the states.

    Raises:
        TargetError: standard output is closed.
    """
    if sys.stdout is None:
        raise TargetError(
            "expected an open standard output for the states, found it closed; nothing was read: lead it to "
            "a file or a pipe, then run again"
        )


def emit(state: State) -> None:
    """Print *state*: the one place from which STATE leaves, called by the archive after a commit.

    Raises:
        TargetError: it cannot be printed; the messages that it covers are durable all the same.
    """
    try:
        sys.stdout.write(json.dumps(state) + "\n")
        sys.stdout.flush()
    except OSError as error:
        # Python flushes once more at exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        found = "nobody reads them any more (Meltano ended?)"
        if not isinstance(error, BrokenPipeError):
            found = f"{error.strerror}; see where it leads, then run again"
        raise TargetError(
            f"the states cannot leave by standard output: {found}. All messages received are durable; the "
            "next run reads some of them again"
        ) from None
