"""Two messages: plain text, and HTML with an image inside."""

from __future__ import annotations

MAIL = (
    b"From: Ann <ann@x.example>\r\nTo: b@x.example, C <c@x.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <1@x.example>\r\nDate: Fri, 5 Jun 2026 10:30:45 +0200\r\n\r\nhello, world\r\n"
)
HTML = (
    b"Subject: h\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n boundary=b1\r\n\r\n"
    b"--b1\r\nContent-Type: text/html\r\n\r\n<p>hi<script>x()</script></p>\r\n"
    b"--b1\r\nContent-Type: image/png; name=a.png\r\nContent-Disposition: inline; filename=a.png\r\n"
    b"Content-ID: <c1>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n--b1--\r\n"
)
