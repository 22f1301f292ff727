"""`python read_raw.py PORT USER PASSWORD`: reads all mail over plain IMAP, and throws it away."""

from __future__ import annotations

import re
import socket
import sys

_FOLDER = re.compile(rb'^\* LIST \([^)]*\) \S+ ("[^"\r]*"|[^"\s]+)\r$', re.MULTILINE)
_TAIL = 65_536


def read(port: int, name: str, password: str) -> None:
    """Read every folder with one FETCH each."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        _command(connection, f'LOGIN {name} "{password}"')
        for folder in _FOLDER.findall(_command(connection, 'LIST "" "*"')):
            _command(connection, f"EXAMINE {folder.decode()}")
            _command(connection, "UID FETCH 1:* BODY.PEEK[]")


def _command(connection: socket.socket, text: str) -> bytes:
    """Send a command and return the end of its answer."""
    connection.sendall(f"x {text}\r\n".encode())
    tail = b""
    while not (tail.endswith(b"\r\n") and tail[:-2].rpartition(b"\n")[2].startswith(b"x ")):
        chunk = connection.recv(1 << 20)
        if not chunk:
            raise EOFError
        tail = chunk if len(chunk) >= _TAIL else (tail + chunk)[-_TAIL:]
    return tail


if __name__ == "__main__":
    read(int(sys.argv[1]), *sys.argv[2:])
