"""What refusals mean: every number and word we know has a next step, and nothing a server says is a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.auth import refusals
from tap_mailbox.auth.refusals import numbers_of, refusal
from tap_mailbox.errors import AccountError, CredentialError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
MEMBERS = ("error", "error_codes", "error_description", "error_subtype", "suberror", "claims")


@pytest.mark.parametrize("number", refusals._NUMBERS)
def test_numbers(number):
    """Each is in the text with its meaning; a sign-in names the account."""
    error = refusal({"error": "invalid_grant", "error_codes": [number]}, account="ann")
    assert isinstance(error, CredentialError)
    assert f"AADSTS{number}" in str(error)
    assert [] == [each for each in "{}" if each in str(error)]
    assert refusals._NUMBERS[number].split(";")[0].partition("{")[0] in str(error)


@pytest.mark.parametrize("word", refusals._MEANINGS)
def test_words(word):
    """So is each word, where no number says more."""
    error = refusal({"error": word}, account="ann")
    assert word in str(error)
    assert refusals._MEANINGS[word].split(";")[0] in str(error)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"error_codes": [70000, 70008]}, [70000, 70008]),
        ({"error_codes": ["70000", True, 70008]}, [70008]),
        ({"error_codes": [], "error_description": "AADSTS50173: revoked. AADSTS1"}, [50173]),
        ({"error_description": None}, []),
        ({}, []),
    ],
)
def test_where_numbers_are(answer, expected):
    """In a list of their own, else at the beginning of the description."""
    assert expected == numbers_of(answer)


@given(st.dictionaries(st.sampled_from(MEMBERS), ANYTHING))
def test_anything(answer):
    """Whatever an endpoint refuses with is an error of ours, and what it says is not repeated."""
    error = refusal({**answer, "error_description": "zq7"}, account="ann")
    assert isinstance(error, AccountError)
    assert "zq7" not in str(error)
