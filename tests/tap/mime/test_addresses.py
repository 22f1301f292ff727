"""Address lists, as written by mailers and by those who want to break a reader."""

from __future__ import annotations

import pytest

from tap_mailbox.mime import Limits
from tap_mailbox.mime.addresses import parse_addresses


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ([(None, "a@example.org")], b"a@example.org"),
        ([(None, "a@example.org")], b"<a@example.org>"),
        ([("A B", "a@example.org")], b"A B <a@example.org>"),
        ([("B, A", "a@example.org"), ("C", "c@example.org")], b'"B, A" <a@example.org>, C <c@example.org>'),
        ([('A "B"', "a@example.org")], b'"A \\"B\\"" <a@example.org>'),
        ([("Jürgen", "j@example.org")], b"=?utf-8?Q?J=C3=BCrgen?= <j@example.org>"),
        ([("Jürgen", "j@example.org")], b'"=?utf-8?Q?J=C3=BCrgen?=" <j@example.org>'),
        ([("Müller, Hans (x:)", "h@example.org")], b"=?utf-8?Q?M=C3=BCller=2C_Hans_=28x:)?= <h@example.org>"),
        ([("Müller, Hans", "h@example.org")], b"=?utf-8?Q?M=C3=BCller,_Hans?= <h@example.org>"),
        ([("Jürgen", "j@example.org")], "Jürgen <j@example.org>".encode("latin-1")),
        ([("A B", "a@example.org")], b"a@example.org (A B)"),
        ([("A", "a@example.org")], b"A (comment) <a@example.org>"),
        ([("A", "pete@example.org")], b"A <pete(his \\) account)@example.org(his host)>"),
        ([(None, "a@example.org"), (None, "b@example.org")], b"a@example.org; b@example.org"),
        ([(None, "a@example.org"), ("B", "b@example.org")], b"Team: a@example.org, B <b@example.org>;"),
        ([], b"undisclosed-recipients:;"),
        ([], b""),
        ([], b" , ,,"),
        ([("Re: x", "a@example.org")], b"Re: x <a@example.org>"),
        ([("Joe", "joe@example.org")], b'"Joe <joe@example.org>'),
        ([("A", "a@example.org")], b"A <a@example.org"),
        ([("A", "a@example.org"), (None, "b@example.org")], b"A <a@example.org, b@example.org"),
        ([(None, "a@example.org")], b"<@relay.example.org,@other.example.org:a@example.org>"),
        ([(None, '"john smith"@example.org')], b'"john smith"@example.org'),
        ([(None, "a@[192.0.2.1]")], b"a@[192.0.2.1]"),
        ([(None, "a@[IPv6:2001:db8::1]")], b"A: <a@[IPv6:2001:db8::1]>;"),
        ([(None, "abc@example.org")], b"abc @ example . org"),
        ([(None, "root"), (None, "abel")], b"root, abel"),
        ([("Big Bug", "bug@example.org")], b"Big Bug bug@example.org"),
        ([("no address here", None)], b"no address here"),
        ([("x", None)], b"x <>"),
        ([(None, "a@example.org")], b"mailto:a@example.org;"),
        ([(None, "用户@例え.jp")], "用户@例え.jp".encode()),
    ],
)
def test_parse(expected, value):
    """Name and address of each mailbox, members of groups among them."""
    assert expected == [
        (found.name, found.address) for found in parse_addresses(value, "to", Limits(), set())
    ]


@pytest.mark.parametrize("value", [b"no address here", b"A B a@example.org", b"(only a comment)"])
def test_defect(value):
    """What is no address is said."""
    defects = set()
    parse_addresses(value, "to", Limits(), defects)
    assert {"invalid-address"} == defects


def test_limit():
    """Mailboxes beyond the limit are left out."""
    defects = set()
    value = b", ".join(b"a%d@example.org" % number for number in range(100))
    assert 10 == len(parse_addresses(value, "to", Limits(addresses=10), defects))
    assert {"too-many-addresses"} == defects
