"""The tree of parts: numbers, byte ranges, and multiparts that are not what they say."""

from __future__ import annotations

import pytest

from tap_mailbox.mime import Limits, parse_message
from tap_mailbox.mime.bodies import leaves_of
from tap_mailbox.mime.fields import read_header
from tap_mailbox.mime.parts import Splitter
from tests.tap.mime.mails import a_multipart, an_eml

LIMITS = Limits()


def leaves(octets, limits=LIMITS):
    """Return number, type and body of each leaf, and the defects."""
    defects = set()
    root = Splitter(octets, limits, defects).split(read_header(octets, 0, limits, defects))
    return [
        (part.number, part.content_type, octets[part.header.body : part.end]) for part in leaves_of(root)
    ], defects


def mixed(body, boundary="b"):
    return f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n{body}'.encode()


@pytest.mark.parametrize(
    ("expected", "octets"),
    [
        ([("1", b"one"), ("2", b"two\n")], mixed("--b\n\none\n--b\n\ntwo\n\n--b--\n")),
        ([("1", b"one"), ("2", b"two")], mixed("--b\n\none\n--b\n\ntwo\n--b--\n").replace(b"\n", b"\r\n")),
        ([("1", b""), ("2", b"")], mixed("--b\n\n--b\n--b--\n")),
        ([("1", b"one")], mixed("preamble\n--b  \n\none\n--b-- \nepilogue\n--b\n\nlost\n")),
        ([("1", b"one"), ("2", b"two\n")], mixed("--b\n\none\n--b\n\ntwo\n")),
        ([("1", b"--bb\none")], mixed("--b\n\n--bb\none\n--b--")),
        ([("1", b"one")], mixed("--b with more\n\none\n--b-- and more\n")),
        ([("1", b"one")], mixed("--other\n\none\n--other--\n", boundary="nowhere")),
        ([("1", b"one")], mixed("--\n\none\n----\n", boundary="")),
        ([("1", b"no parts at all\n")], mixed("no parts at all\n")),
        ([("1", b"one\n--b \nstill one")], mixed("--b  \n\none\n--b \nstill one\n--b  --\n", boundary="b  ")),
        ([("1", b"one")], mixed("--a:b\n\none\n--a:b--\n", boundary="a:b")),
    ],
)
def test_leaves(expected, octets):
    """Number and body of each leaf; the line end before a delimiter is the delimiter's."""
    assert expected == [(number, body) for number, _, body in leaves(octets)[0]]


def test_nested_numbers():
    """Parts are numbered as in IMAP: inside a multipart the numbers go on after a dot."""
    inner = 'Content-Type: multipart/alternative; boundary="i"\n\n--i\n\nplain\n--i\n\nother\n--i--\n'
    octets = a_multipart(inner, "\nlast")
    assert [("1.1", b"plain"), ("1.2", b"other"), ("2", b"last")] == [leaf[::2] for leaf in leaves(octets)[0]]


@pytest.mark.parametrize("base64", [b"", b"AAAA", b"AAAA\n-AA\n--AA\nA--\nAAAA", b"AAAA\r\nAAAA\r\n"])
def test_base64_is_skipped_to_the_next_dash(base64):
    """A delimiter below base64 is found, whatever stands in the base64; and below the part after it."""
    encoded = b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + base64
    found, defects = leaves(a_multipart(encoded, "\nlast", encoded))
    assert [("1", base64), ("2", b"last"), ("3", base64)] == [leaf[::2] for leaf in found]
    assert set() == defects
    found, defects = leaves(a_multipart("\nfirst", encoded, end=""))
    assert [("1", b"first"), ("2", base64 + b"\n")] == [leaf[::2] for leaf in found]
    assert {"unclosed-multipart"} == defects


def test_outer_delimiter_closes_inner():
    """An inner multipart that is never closed ends where the outer one goes on."""
    octets = a_multipart('Content-Type: multipart/alternative; boundary="i"\n\n--i\n\nplain', "\nlast")
    found, defects = leaves(octets)
    assert [("1.1", b"plain"), ("2", b"last")] == [leaf[::2] for leaf in found]
    assert {"unclosed-multipart"} == defects


def test_same_boundary_inside():
    """The innermost multipart wins where two have the same boundary."""
    inner = 'Content-Type: multipart/alternative; boundary="b"\n\n--b\n\nplain\n--b--\n'
    assert [("1.1", b"plain"), ("2", b"last")] == [
        leaf[::2] for leaf in leaves(a_multipart(inner, "\nlast"))[0]
    ]


def test_digest_parts_are_messages():
    """A part of multipart/digest without a type is a message (RFC 2046, section 5.1.5)."""
    assert "message/rfc822" == leaves(a_multipart("\nSubject: x\n\nbody", kind="digest"))[0][0][1]


def test_attached_message_is_opaque():
    """The multipart inside of an attached message is not looked into."""
    octets = a_multipart("Content-Type: message/rfc822\n\n" + mixed("--i\n\none\n--i--\n", "i").decode())
    assert [("1", "message/rfc822")] == [leaf[:2] for leaf in leaves(octets)[0]]


def test_second_content_type():
    """Of two Content-Type fields the first counts, but for a multipart in which there is no part."""
    octets = a_multipart("Content-Type: multipart/mixed; boundary=z\nContent-Type: text/html\n\n<p>hello")
    assert ("1", "text/html", b"<p>hello") == leaves(octets)[0][0]


@pytest.mark.parametrize(
    ("codes", "octets"),
    [
        (set(), mixed("--b\n\none\n--b--\n")),
        ({"boundary-guessed"}, mixed("--c\n\none\n--c--\n")),
        ({"boundary-not-found"}, mixed("one\n")),
        ({"unclosed-multipart"}, mixed("--b\n\none\n")),
        ({"duplicate-content-type"}, b"Content-Type: text/plain\nContent-Type: text/html\n\nx"),
        ({"invalid-content-type"}, b"Content-Type: text\n\nx"),
        ({"unknown-transfer-encoding"}, b"Content-Transfer-Encoding: base32\n\nx"),
    ],
)
def test_defects(codes, octets):
    """What was wrong with the structure is said."""
    assert codes == leaves(octets)[1]


def test_depth_limit():
    """A multipart beyond the limit is one attachment."""
    octets = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(500))
    found, defects = leaves(octets, Limits(depth=20))
    assert [(".".join("1" * 20), "application/octet-stream")] == [leaf[:2] for leaf in found]
    assert "too-deep" in defects


def test_part_limit():
    """Beyond the limit all the rest is one attachment, to the end."""
    octets = a_multipart(*["\nx"] * 50)
    found, defects = leaves(octets, Limits(parts=10))
    assert (11, "application/octet-stream", octets[-9:]) == (len(found), found[-1][1], found[-1][2][-9:])
    assert {"too-many-parts"} == defects
    message = parse_message(octets, limits=Limits(parts=10))
    assert ("\n".join("x" * 10), 1) == (message.body_text, len(message.attachments))


def test_transfer_encoding_of_a_multipart_is_ignored():
    """A multipart that says it is base64 is read as it lies (RFC 2045, section 6.4)."""
    octets = mixed("--b\n\none\n--b--\n").replace(b"\n\n", b"\nContent-Transfer-Encoding: base64\n\n", 1)
    assert (
        "one"
        == parse_message(an_eml(without=("mime-version",)).partition(b"\n\n")[0] + b"\n" + octets).body_text
    )
