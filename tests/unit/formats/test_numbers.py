"""Numbers and times: exact at every edge, whichever of the two readings reads them."""

from __future__ import annotations

import datetime
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fluxcore.core.types import (
    BIGINT,
    DATE,
    DOUBLE,
    FLOAT,
    INT,
    SMALLINT,
    TINYINT,
    DecimalType,
    TimestampType,
    TimeType,
)
from fluxcore.errors import DataError
from fluxcore.formats.csv import CsvFormat
from fluxcore.formats.values import nearest_float32, parse_text

calm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
DIGITS = st.text(st.sampled_from("0123456789"), min_size=1, max_size=22)
NUMBERS = st.builds(
    lambda sign, whole, part, power: f"{sign}{whole}{'.' + part if part else ''}{f'e{power}' if power else ''}",
    st.sampled_from(["", "-"]),
    DIGITS,
    st.just("") | DIGITS,
    st.just(0) | st.integers(-345, 310),
)


@calm
@given(numbers=st.lists(NUMBERS | st.floats(allow_nan=False, allow_infinity=False).map(repr), min_size=1, max_size=40))
@example(["5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308"])
@example(["1.7976931348623157e308", "1.7976931348623159e308", "9007199254740993", "8.5e15", "-0", "1e23"])
@example(["0.000000000000000000000000000000000000001", "123456789012345678901234567890"])
def test_doubles_are_those_of_python_bit_by_bit(reading, numbers) -> None:
    found = reading("csv", DOUBLE).values("\n".join(numbers))
    assert [struct.pack("d", value) for value in found] == [struct.pack("d", float(text)) for text in numbers]


@calm
@given(numbers=st.lists(NUMBERS | st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr), min_size=1))
@example(["1.00000005960464477539062500001", "1.000000059604644775390625", "1e-45", "7e-46", "3.4028235677973366e38"])
def test_floats_are_rounded_once(reading, numbers) -> None:
    found = reading("csv", FLOAT).values("\n".join(numbers))
    assert [struct.pack("f", value) for value in found] == [struct.pack("f", nearest_float32(text)) for text in numbers]


@given(st.floats(width=32, min_value=2.0**-140, max_value=2.0**120), st.sampled_from([0, -1, 1]))
def test_the_nearest_float_is_the_nearest(value, side) -> None:
    above = float(np.nextafter(np.float32(value), np.float32("inf")))
    middle = (Fraction(value) + Fraction(above)) / 2 + Fraction(side, 10**80)
    digits = 10**250
    text = f"{int(middle * digits)}e-250"
    even = value if int(np.float32(value).view(np.uint32)) % 2 == 0 else above
    assert nearest_float32(text) == {-1: value, 1: above, 0: even}[side]


@pytest.mark.parametrize(("type_", "bits"), [(TINYINT, 8), (SMALLINT, 16), (INT, 32), (BIGINT, 64)])
def test_integers_reach_their_ends_and_not_beyond(reading, type_, bits) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    texts = [str(low), str(high), f"+{high}", f" {low}\t", "-0", "000000000000000000000000007"]
    assert reading("csv", type_).values("\n".join(texts)) == [low, high, high, low, 0, 7]
    for wrong in (low - 1, high + 1, "1.0", "", "-", "+", "1 2", "0x10", "1e3", "９"):
        with pytest.raises(DataError, match=type_.name()):
            reading("csv", type_).rows(f"1\n{wrong or ' '}\n")


@calm
@given(
    numbers=st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**30), max_value=10**30)
    ),
    shape=st.sampled_from([(5, 2), (18, 4), (38, 10), (10, 0), (38, 0), (4, 4)]),
)
def test_decimals_are_rounded_half_up_and_null_beyond_their_precision(reading, numbers, shape) -> None:
    type_ = DecimalType(precision=shape[0], scale=shape[1])
    texts = [f"{number:f}" for number in numbers]
    found = reading("csv", type_).values("\n".join(texts))
    assert found == [parse_text(type_, text) for text in texts]
    for value, number in zip(found, numbers, strict=True):
        if value is not None:
            assert abs(Fraction(value) - Fraction(number)) * 2 <= Fraction(1, 10 ** shape[1])
        else:
            assert abs(Fraction(number)) + Fraction(1, 2 * 10 ** shape[1]) >= 10 ** (shape[0] - shape[1])


@calm
@given(
    moments=st.lists(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)), min_size=1),
    precision=st.integers(0, 6),
    between=st.sampled_from([" ", "T"]),
    local=st.booleans(),
)
def test_timestamps_are_cut_to_their_precision(reading, moments, precision, between, local) -> None:
    type_ = TimestampType(precision=precision, local=local)
    texts = [moment.isoformat(between) + ("Z" if local else "") for moment in moments]
    step = 10 ** (6 - precision)
    zone = datetime.UTC if local else None
    wanted = [moment.replace(microsecond=moment.microsecond // step * step, tzinfo=zone) for moment in moments]
    assert reading("csv", type_).values("\n".join(texts)) == wanted


def test_nanoseconds_are_kept_and_never_wrap(reading) -> None:
    type_ = TimestampType(precision=9)
    found = reading("csv", type_).open(b"2024-01-01 00:00:00.123456789\n1677-09-21 00:12:43.145224193\n")
    numbers = found.decode(found.take()).data.column(0).cast("int64").to_pylist()
    found.close()
    assert numbers == [1704067200123456789, -(2**63) + 1]
    for wrong in ("1677-09-21 00:12:43.1", "2262-04-11 23:47:16.9", "9999-01-01 00:00:00"):
        with pytest.raises(DataError, match="out of the range"):
            reading("csv", type_).rows(wrong)


def test_every_day_of_four_centuries_is_itself(reading) -> None:
    start = datetime.date(1896, 1, 1)
    days = [start + datetime.timedelta(days=number) for number in range(146_097)]
    assert reading("csv", DATE).values("\n".join(map(str, days))) == days


@pytest.mark.parametrize(
    "wrong", ["2023-02-29", "2024-00-01", "2024-01-32", "2024-1a-01", "24-01-01", "0000-01-01", ""]
)
def test_days_that_do_not_exist_are_refused(reading, wrong) -> None:
    with pytest.raises(DataError, match="DATE"):
        reading("csv", DATE).rows(f"2024-01-01\n{wrong or ' '}\n")


@pytest.mark.parametrize(
    "wrong", ["2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:60", "2024-01-01x00:00:00"]
)
def test_times_that_do_not_exist_are_refused(reading, wrong) -> None:
    with pytest.raises(DataError, match="TIMESTAMP"):
        reading("csv", TimestampType(precision=3)).rows(wrong)


def test_times_of_day_are_cut_to_their_precision(reading) -> None:
    texts = ["00:00:00", "23:59:59.999999", "12:30"]
    wanted = {0: 0, 1: 900, 2: 990, 3: 999}
    for precision, fraction in wanted.items():
        found = reading("csv", TimeType(precision=precision)).values("\n".join(texts))
        assert found == [datetime.time(0), datetime.time(23, 59, 59, fraction * 1000), datetime.time(12, 30)]


def test_long_numbers_need_no_second_reading(reading) -> None:
    for type_, texts in (
        (BIGINT, ["9223372036854775807", "-9223372036854775808"]),
        (DecimalType(precision=38, scale=18), ["-123456789.25"]),
    ):
        decoder = CsvFormat().decoder(reading("csv", type_).request())
        decoder.read_row = lambda *_: pytest.fail("the row reader was asked")
        found = decoder.decode_messages([text.encode() for text in texts]).data.column(0).to_pylist()
        assert found == [parse_text(type_, text) for text in texts]
