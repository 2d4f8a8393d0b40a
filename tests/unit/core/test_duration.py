"""Durations in the forms that Flink takes."""

from __future__ import annotations

import datetime as dt

import pytest

from fluxcore.core.duration import duration_ms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 s", 10_000),
        ("2 hours", 7_200_000),
        ("500ms", 500),
        ("1min", 60_000),
        ("3 d", 259_200_000),
        ("7", 7),
        (7, 7),
    ],
)
def test_forms(text: str | int, expected: int) -> None:
    assert duration_ms(text) == expected


def test_timedelta() -> None:
    assert duration_ms(dt.timedelta(seconds=1, milliseconds=5)) == 1005


@pytest.mark.parametrize("text", ["", "ten s", "5 weeks", "-5 s", "1.5 s"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration_ms(text)


def test_negative_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        duration_ms(-1)
