"""A directory in pieces: every name once, no message in two of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_hashfs.proof import walk
from target_hashfs.proof.walk import key, pieces

STEMS = st.integers(0, 20).map(lambda number: f"{number:016x}")
NAMES = st.builds(
    lambda stem, end: stem + end, STEMS, st.sampled_from([".json", ".eml", f".{'a' * 16}.json"])
)
ODD = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1)


@given(st.sets(NAMES | ODD, max_size=80), st.integers(1, 9))
def test_pieces(names: set[str], size: int) -> None:
    """They share the alphabet out between them, in order, with bounds that are plain text."""
    original, walk._PIECE = walk._PIECE, size
    try:
        found = list(pieces("gmail/2026/06", list(names)))
    finally:
        walk._PIECE = original
    assert sorted(names, key=lambda name: (key(name), name)) == [
        name for each in found for name in each.names
    ]
    assert ("", None) == (found[0].low, found[-1].high)
    assert [each.high for each in found[:-1]] == [each.low for each in found[1:]]
    for each in found:
        assert all(name in each for name in each.names)
        assert each.low.isascii()
        assert not [name for name in names - set(each.names) if name in each]
