"""Retry-After: whole and fractional seconds, dates by the server's own clock, and none of it."""

from __future__ import annotations

import pytest

from tap_mailbox.retry_after import retry_after

DATE = "Fri, 05 Jun 2026 10:30:45 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("", None, None),
        ("  ", None, None),
        ("7", None, 7.0),
        (" 2.128 ", None, 2.128),
        ("0", None, 0.0),
        ("-5", None, 0.0),
        ("1e3", None, 1000.0),
        ("nan", None, None),
        ("inf", None, None),
        ("soon", None, None),
        ("Fri, 05 Jun 2026 10:30:50 GMT", DATE, 5.0),
        ("Fri, 05 Jun 2026 12:30:50 +0200", DATE, 5.0),
        ("Fri, 05 Jun 2026 10:30:50 -0000", DATE, 5.0),
        ("Friday, 05-Jun-26 10:30:50 GMT", DATE, 5.0),
        ("Fri, 05 Jun 2026 10:30:40 GMT", DATE, 0.0),
        ("Fri, 05 Jun 2020 10:30:40 GMT", None, 0.0),
        ("Fri, 05 Jun 2020 10:30:40 GMT", "nonsense", 0.0),
        ("Fri, 99 Jun 2026 10:30:50 GMT", DATE, None),
    ],
)
def test_retry_after(value, date, seconds):
    """Whole seconds, fractions and dates are understood; a date counts from the answer's own Date, or from now."""
    headers = {name: text for name, text in (("Retry-After", value), ("Date", date)) if text is not None}
    assert seconds == retry_after(headers)
