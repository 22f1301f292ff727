"""Messages for tests: an_eml() with defaults, everything a keyword away."""

from __future__ import annotations


def an_eml(body: str | bytes = "Hello\n", *, without: tuple[str, ...] = (), **fields: str | bytes) -> bytes:
    """Return a message; `content_type="text/html"` sets or adds a field, `without` leaves some out."""
    values: dict[str, str | bytes] = {
        "From": "Alice <alice@example.org>",
        "To": "bob@example.org",
        "Date": "Fri, 05 Jun 2026 12:30:45 +0200",
        "Message-Id": "<1@example.org>",
        "Subject": "Hello",
        "Mime-Version": "1.0",
    }
    values |= {name.replace("_", "-").title(): value for name, value in fields.items()}
    lines = [
        f"{name}: ".encode() + _octets(value) for name, value in values.items() if name.lower() not in without
    ]
    return b"\n".join(lines) + b"\n\n" + _octets(body)


def a_multipart(*parts: str | bytes, kind: str = "mixed", boundary: str = "b", end: str = "--b--\n") -> bytes:
    """Return a message of these parts, each with its own header."""
    body = b"".join(b"--" + boundary.encode() + b"\n" + _octets(part) + b"\n" for part in parts)
    return an_eml(body + end.encode(), content_type=f'multipart/{kind}; boundary="{boundary}"')


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
