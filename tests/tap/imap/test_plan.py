"""What travels together: every message in exactly one window, none too large unless it is alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.sources.imap.commands import Envelope
from tap_mailbox.sources.imap.plan import WINDOW_OCTETS, windows

SIZES = st.lists(
    st.integers(min_value=0, max_value=WINDOW_OCTETS * 2) | st.integers(min_value=0, max_value=50_000)
)


@given(SIZES, st.integers(min_value=1, max_value=50))
def test_windows_tile_the_messages(sizes, most):
    """In order, without a gap or a repetition, within both limits."""
    envelopes = [
        Envelope(
            uid=uid, size=size, internal_date=None, flags=(), labels=None, gmail_msgid=None, gmail_thrid=None
        )
        for uid, size in enumerate(sizes, 1)
    ]
    made = list(windows(envelopes, messages=most))
    assert envelopes == [each for window in made for each in window]
    assert all(1 <= len(window) <= most for window in made)
    assert all(len(window) == 1 or sum(each.size for each in window) <= WINDOW_OCTETS for window in made)
