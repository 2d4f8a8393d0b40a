"""Subjects and patterns, as NATS has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.bus.errors import BusError
from fluxcore.bus.subjects import Pattern, check_subject

TOKENS = st.sampled_from(["a", "b", "c"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.tuples(
    st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=3), st.booleans()
).map(lambda each: ".".join([*each[0], *([">"] if each[1] else [])]))  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "subject", "matches"),
    [
        ("orders.*.created", "orders.eu.created", True),
        ("orders.*.created", "orders.created", False),
        ("orders.*.created", "orders.eu.de.created", False),
        ("orders.>", "orders.eu", True),
        ("orders.>", "orders.eu.created", True),
        ("orders.>", "orders", False),
        (">", "orders", True),
        ("*", "orders", True),
        ("*", "orders.eu", False),
        ("orders", "orders", True),
        ("Orders", "orders", False),
        ("a.{place}.c", "a.b.c", True),
    ],
)
def test_wildcards(pattern: str, subject: str, matches: bool) -> None:
    assert Pattern(pattern).matches(subject) is matches


@pytest.mark.parametrize("subject", ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "a\tb"])
def test_what_is_no_subject_is_refused(subject: str) -> None:
    with pytest.raises(BusError) as caught:
        check_subject(subject)
    assert caught.value.code == "FX-BUS-0101"


@pytest.mark.parametrize("pattern", ["", "a..b", ">.a", "a.b*", "a.{x", "a. .b"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BusError) as caught:
        Pattern(pattern)
    assert caught.value.code == "FX-BUS-0102"


def test_wildcards_give_their_tokens() -> None:
    assert Pattern("orders.{region}.*.>").captures("orders.eu.de.x.y") == {"region": "eu", "2": "de", "3": "x.y"}
    assert Pattern("orders.*").captures("bills.eu") is None


@given(PATTERNS, PATTERNS, SUBJECTS)
def test_patterns_that_share_a_subject_overlap(a: str, b: str, subject: str) -> None:
    one, other = Pattern(a), Pattern(b)
    if one.matches(subject) and other.matches(subject):
        assert one.overlaps(other)
        assert other.overlaps(one)
