"""HTML to text: what a reader sees, line by line."""

from __future__ import annotations

import pytest

from tap_mailbox.mime.html_text import text_of_html


@pytest.mark.parametrize(
    ("expected", "source"),
    [
        (
            "Hello big world\n\ntwo\nlines\n\nend",
            "<p>Hello <b>big</b> w<i>or</i>ld</p><p>two<br>lines<br><br>end</p>",
        ),
        ("a b", "a\n   \t\xa0b"),
        ("a\nb", "<div><div>a</div></div>\n<div>b</div>"),
        ("a | b\nc | d\nafter", "<table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d</table>after"),
        ("one cell", "<table><tr><td>one cell</td></tr></table>"),
        ("* one\n* two\n\n1. x\n2. y", "<ul><li>one<li>two</ul><ol><li>x<li>y</ol>"),
        ("* a\n1. x\n* b", "<ul><li>a<ol><li>x</ol><li>b</ul>"),
        ("> q1\n\n> > q2\n\n> back\n\nout", "<blockquote>q1<blockquote>q2</blockquote>back</blockquote>out"),
        ("a\n  b\n\nc\n\ntail x", "<pre>a\n  b\n\nc</pre>tail\nx"),
        ("click <https://example.org/a>", "<a href='https://example.org/a'>click</a>"),
        ("example.org", "<a href='https://example.org/'>example.org</a>"),
        ("here", "<a href='javascript:x()'>here</a>"),
        ("a logo b", "a <img src='cid:1' alt='logo'> b"),
        (
            "seen",
            "<html><head><title>t</title><style>p{}</style></head><body><script>x</script>seen</body></html>",
        ),
        ("a & b < c é", "a &amp; b &lt; c &eacute;"),
        ("x", "<!-- no --><![endif]><![if !mso]>x"),
        ("deep", "<div>" * 5_000 + "deep"),
        ("", ""),
        ("", "<!-- only a comment -->"),
        ("x", "\x01\x02x\x07"),
        ("1 < 2", "1 < 2"),
    ],
)
def test_text_of_html(expected, source):
    """Paragraphs, rows, items, links and quotes, blanks as one."""
    assert expected == text_of_html(source, 1_000_000, set())


def test_no_surrogate_and_no_nul():
    """Character references cannot bring in what UTF-8 lacks."""
    text = text_of_html("a&#xD800;&#0;&#xDFFF;&#99999999999999999999;b", 1_000_000, set())
    text.encode("utf-8")
    assert "\0" not in text


def test_limit():
    """Beyond the limit the HTML is cut, and that is said."""
    defects = set()
    assert "aaaa" == text_of_html("aaaabbbb", 4, defects)
    assert {"html-too-large"} == defects
