"""`python -m benchmarks.in_flight FILE ...`: the tap, noting in FILE when each request was sent and answered.

A request is in flight from when its last octet went to the kernel until something of its answer is there.
The server sees less of that: what its own threads take to wake up and to read is not in it.
"""

from __future__ import annotations

import atexit
import json
import select
import sys
import time
from pathlib import Path
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tap_mailbox.tap import main

_requests: list[tuple[str, float, float]] = []


class _Noting(HTTPConnection):
    """A connection that notes what goes over it."""

    def putrequest(self, method: str, url: str, *arguments: Any, **options: Any) -> None:
        self.path = url
        super().putrequest(method, url, *arguments, **options)

    def endheaders(self, *arguments: Any, **options: Any) -> None:
        super().endheaders(*arguments, **options)
        self.sent = time.monotonic()

    def getresponse(self) -> Any:  # type: ignore[override]  # urllib3's
        select.select([self.sock], [], [])
        _requests.append((self.path, self.sent, time.monotonic()))
        return super().getresponse()


class _NotingTLS(_Noting, HTTPSConnection):
    """The same with TLS; an answer is read as soon as its first record is there."""


if __name__ == "__main__":
    file = Path(sys.argv.pop(1))
    HTTPConnectionPool.ConnectionCls, HTTPSConnectionPool.ConnectionCls = _Noting, _NotingTLS
    atexit.register(lambda: file.write_text(json.dumps(_requests)))
    main()
