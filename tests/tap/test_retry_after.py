"""Retry-After: whole and fractional seconds, dates by the server's own clock, and none of it."""

from __future__ import annotations

import pytest

from tap_mailbox.retry_after import retry_after

DATE = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "2"}, 2),
        ({"Retry-After": " 2.128 "}, 2.128),
        ({"Retry-After": "-1"}, 0),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:30:00 GMT", **DATE}, 120),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT", **DATE}, 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_seconds(headers, expected):
    """A date counts from the answer's own Date, or from now."""
    assert expected == retry_after(headers)
