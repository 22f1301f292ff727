"""`ImapScript`: an IMAP server that says what the test tells it to, for quirks no server at hand shows.

Without instructions it serves a small read-only mailbox. Instructions replace single answers:

    gmail = Mailbox({1: Message(b"Subject: hi\\r\\n\\r\\n", extra={"X-GM-MSGID": "1278455344230334865"})})
    with ImapScript({"[Gmail]/All Mail": gmail}, capability="IMAP4rev1 X-GM-EXT-1", separator="/") as server:
        server.answer("NOOP", "* 3 EXPUNGE\\r\\n{tag} OK\\r\\n")    # these octets
        server.answer("UID FETCH", HANG, times=1)                   # nothing, for ever
        server.answer("UID SEARCH", CLOSE)                          # hang up
        server.answer("EXAMINE", lambda command, usual: b"* 1 FETCH (FLAGS ())\\r\\n" + usual)
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from imapclient.imap_utf7 import decode as decode_mutf7
from imapclient.imap_utf7 import encode as encode_mutf7

from tests.servers.listening import Listening


class Act(Enum):
    """An answer that is none."""

    HANG = "say nothing more, keep the connection"
    CLOSE = "hang up"


HANG, CLOSE = Act.HANG, Act.CLOSE


@dataclass(frozen=True)
class Command:
    """What the client said: `UID FETCH`, its arguments with literals put in as they are."""

    tag: str
    name: str
    args: str
    connection: int


Answer = str | bytes | Act | Callable[[Command, bytes], bytes | str | Act]


@dataclass
class Message:
    """A message of the scripted mailbox; `octets=None` is fetched as NIL."""

    octets: bytes | None
    flags: tuple[str, ...] = ()
    internal_date: str = "05-Jun-2026 10:30:45 +0000"
    size: int | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass
class Mailbox:
    """A folder: its messages by UID, and how LIST and FETCH show it."""

    messages: dict[int, Message] = field(default_factory=dict)
    uidvalidity: int = 1
    list_flags: tuple[str, ...] = ()
    literal_first: bool = False
    """Whether the body stands before the other items of a FETCH response."""
    missing: frozenset[str] = frozenset()
    """Items that the server never sends, asked or not, such as INTERNALDATE."""


class ImapScript(Listening):
    """A scripted server on loopback; `commands` says what it was asked.

    Attributes:
        commands: Every command, passwords left out.
        greeting: The first line.
    """

    def __init__(
        self,
        folders: Mapping[str, Mailbox] | None = None,
        *,
        capability: str = "IMAP4rev1",
        separator: str = "/",
        namespace: str = "",
        greeting: str = "* OK ready\r\n",
    ) -> None:
        self.folders = dict(folders) if folders is not None else {"INBOX": Mailbox()}
        self.capability, self.separator, self.namespace, self.greeting = (
            capability, separator, namespace, greeting,
        )  # fmt: skip
        self.commands: list[Command] = []
        self._answers: list[tuple[re.Pattern[str], Answer, list[int]]] = []
        self._selected: dict[int, str] = {}
        self._open: set[socket.socket] = set()
        self._stopped = threading.Event()
        super().__init__()

    def answer(self, command: str, answer: Answer, *, times: int | None = None) -> None:
        """Answer commands that match the pattern (`UID FETCH 7 .*BODY`) so; the latest instruction wins.

        `{tag}` stands for the command's tag. A callable gets the command and the usual answer.
        """
        pattern = re.compile(command, re.IGNORECASE | re.DOTALL)
        self._answers.insert(0, (pattern, answer, [-1 if times is None else times]))

    def count(self, pattern: str) -> int:
        """Return how many commands so far match the pattern at their start."""
        said = [f"{command.name} {command.args}" for command in list(self.commands)]
        return sum(re.match(pattern, each, re.IGNORECASE) is not None for each in said)

    def stop(self) -> None:
        """Close everything and wait for the threads."""
        self._stopped.set()
        super().stop()

    def drop_connections(self) -> None:
        """Close every connection there is; new ones are accepted."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # --- a connection -----------------------------------------------------------------------------------

    def _accepted(self, client: socket.socket) -> None:
        self._open.add(client)
        self._spawn(self._serve, client, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as lines:
                connection.sendall(self.greeting.encode())
                for command in self._read(lines, connection, number):
                    answer = self._decide(command)
                    if answer is HANG:
                        self._stopped.wait()
                    if isinstance(answer, Act):
                        return
                    connection.sendall(answer.replace(b"{tag}", command.tag.encode()))
                    if command.name == "LOGOUT":
                        return
        finally:
            self._open.discard(connection)
            connection.close()

    def _read(self, lines: object, connection: socket.socket, number: int) -> Iterator[Command]:
        while line := lines.readline():  # type: ignore[attr-defined]
            while literal := re.search(rb"\{(\d+)(\+?)\}\r\n\Z", line):
                if not literal[2]:
                    connection.sendall(b"+ go on\r\n")
                line = line[: literal.start()] + lines.read(int(literal[1])) + lines.readline()  # type: ignore[attr-defined]
            words = line.decode("utf-8", "replace").rstrip("\r\n").split(" ", 3)
            tag, name, *rest = [*words, "", ""][:4] if len(words) < 4 else words
            if name.upper() == "UID":
                name, rest = f"UID {rest[0]}", rest[1:]
            name = name.upper()
            if name == "AUTHENTICATE" and not rest[1]:
                connection.sendall(b"+ \r\n")
                lines.readline()  # type: ignore[attr-defined]
            secret = name in {"LOGIN", "AUTHENTICATE"}
            command = Command(tag, name, "" if secret else " ".join(filter(None, rest)), number)
            self.commands.append(command)
            yield command

    def _decide(self, command: Command) -> bytes | Act:
        said = f"{command.name} {command.args}".strip()
        for pattern, answer, left in self._answers:
            if left[0] and pattern.match(said):
                left[0] -= 1
                chosen = answer(command, self._usual(command)) if callable(answer) else answer
                return chosen.encode() if isinstance(chosen, str) else chosen
        return self._usual(command)

    # --- the usual answers ------------------------------------------------------------------------------

    def _usual(self, command: Command) -> bytes:
        done = f"{{tag}} OK {command.name} done\r\n".encode()
        match command.name:
            case "CAPABILITY":
                return f"* CAPABILITY {self.capability}\r\n".encode() + done
            case "LOGOUT":
                return b"* BYE see you\r\n" + done
            case "NAMESPACE":
                return f'* NAMESPACE (("{self.namespace}" "{self.separator}")) NIL NIL\r\n'.encode() + done
            case "ID":
                return b"* ID NIL\r\n" + done
            case "LIST" | "LSUB" | "XLIST":
                return self._list(command) + done
            case "STATUS":
                return self._status(command) or b"{tag} NO no such folder\r\n"
            case "EXAMINE" | "SELECT":
                return self._examine(command) or b"{tag} NO [NONEXISTENT] no such folder\r\n"
            case "UID SEARCH":
                found = sorted(self._chosen(command, command.args))
                return b"* SEARCH" + b"".join(b" %d" % uid for uid in found) + b"\r\n" + done
            case "UID FETCH":
                return self._fetch(command) + done
            case "FETCH":
                return self._fetch_by_number(command) + done
            case _:
                return done

    def _list(self, command: Command) -> bytes:
        if command.args.endswith('"" ""'):
            return f'* LIST (\\Noselect) "{self.separator}" ""\r\n'.encode()
        status = "RETURN" in command.args.upper() and "STATUS" in command.args.upper()
        lines = b""
        for name, folder in self.folders.items():
            flags = " ".join(folder.list_flags)
            lines += f'* LIST ({flags}) "{self.separator}" {_quoted(name)}\r\n'.encode()
            if status and "\\Noselect" not in folder.list_flags:
                lines += self._status_line(name)
        return lines

    def _status(self, command: Command) -> bytes | None:
        name = _folder_name(command.args)
        return None if name not in self.folders else self._status_line(name) + b"{tag} OK done\r\n"

    def _status_line(self, name: str) -> bytes:
        folder = self.folders[name]
        return (
            f"* STATUS {_quoted(name)} (MESSAGES {len(folder.messages)} RECENT 0 UNSEEN 0 "
            f"UIDNEXT {max(folder.messages, default=0) + 1} UIDVALIDITY {folder.uidvalidity})\r\n"
        ).encode()

    def _examine(self, command: Command) -> bytes | None:
        name = _folder_name(command.args)
        if name not in self.folders:
            return None
        folder = self.folders[name]
        self._selected[command.connection] = name
        return (
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
            f"* {len(folder.messages)} EXISTS\r\n* 0 RECENT\r\n"
            f"* OK [UIDVALIDITY {folder.uidvalidity}] ok\r\n"
            f"* OK [UIDNEXT {max(folder.messages, default=0) + 1}] ok\r\n"
            "{tag} OK [READ-ONLY] examined\r\n"
        ).encode()

    def _chosen(self, command: Command, text: str) -> list[int]:
        """Return the UIDs a sequence set names; `n:*` names the last one whatever n is (RFC 9051, 6.4.8)."""
        folder = self.folders[self._selected[command.connection]]
        found = re.search(r"(?:^|UID )([\d*][\d:,*]*)", text, re.IGNORECASE)
        if found is None:
            return list(folder.messages)
        last = max(folder.messages, default=0)
        chosen: set[int] = set()
        for part in found[1].split(","):
            first, _, end = part.replace("*", str(last)).partition(":")
            low, high = sorted((int(first), int(end or first)))
            chosen.update(uid for uid in folder.messages if low <= uid <= high)
        return sorted(chosen)

    def _fetch(self, command: Command) -> bytes:
        sequence_set, _, asked = command.args.partition(" ")
        folder = self.folders[self._selected[command.connection]]
        numbers = {uid: number for number, uid in enumerate(sorted(folder.messages), 1)}
        return b"".join(
            b"* %d FETCH (%b)\r\n" % (numbers[uid], fetch_items(folder, uid, asked))
            for uid in self._chosen(command, sequence_set)
        )

    def _fetch_by_number(self, command: Command) -> bytes:
        sequence_set, _, asked = command.args.partition(" ")
        folder = self.folders[self._selected[command.connection]]
        first, _, last = sequence_set.partition(":")
        numbered = list(enumerate(sorted(folder.messages), 1))[int(first) - 1 : int(last or first)]
        return b"".join(b"* %d FETCH (%b)\r\n" % (n, fetch_items(folder, uid, asked)) for n, uid in numbered)


def fetch_items(folder: Mailbox, uid: int, asked: str) -> bytes:
    """Return what stands between the brackets of a FETCH response."""
    message = folder.messages[uid]
    octets = message.octets or b""
    values = {
        "UID": str(uid),
        "FLAGS": f"({' '.join(message.flags)})",
        "INTERNALDATE": f'"{message.internal_date}"',
        "RFC822.SIZE": str(len(octets) if message.size is None else message.size),
        **message.extra,
    }
    words = set(re.findall(r"[A-Z0-9.-]+", re.sub(r"BODY(\.PEEK)?\[.*", "", asked.upper()))) | {"UID"}
    items = [f"{key} {value}".encode() for key, value in values.items() if key in words - folder.missing]
    if re.search(r"BODY(\.PEEK)?\[\]", asked, re.IGNORECASE):
        body = b"NIL" if message.octets is None else b"{%d}\r\n%b" % (len(octets), octets)
        items.insert(0 if folder.literal_first else len(items), b"BODY[] " + body)
    return b" ".join(items)


def sasl_plain(username: str, password: str) -> str:
    """Return what AUTHENTICATE PLAIN sends, to look for it (or its absence)."""
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode()


def _quoted(name: str) -> str:
    encoded: str = encode_mutf7(name).decode()
    return '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folder_name(args: str) -> str:
    found = re.match(r'"((?:[^"\\]|\\.)*)"|(\S+)', args)
    if found is None:
        return ""
    name = found[1] if found[1] is not None else found[2]
    name = re.sub(r"\\(.)", r"\1", name)
    try:
        return str(decode_mutf7(name.encode())) if name.isascii() else name
    except ValueError:
        return name
