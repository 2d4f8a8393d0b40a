"""Every type of Flink through functions in Python and back: row by row, as Arrow arrays, and as rows of a table function."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, NamedTuple, TypedDict

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.core.type_hints import read_hint
from fluxcore.core.types import from_arrow
from fluxcore.sql.parse_types import type_of

from .test_types import TYPES, column

MICROS = [name for name in TYPES if "(9)" not in name]


class Named(NamedTuple):
    a: int
    b: str | None


@dataclass
class Point:
    x: float
    at: dt.datetime


class Loose(TypedDict):
    tags: list[str]
    sizes: dict[str, int]


HINTS = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: "STRING",
    bytes: "BYTES",
    Decimal: "DECIMAL(38, 18)",
    Annotated[Decimal, "DECIMAL(10, 2)"]: "DECIMAL(10, 2)",
    dt.datetime: "TIMESTAMP(6)",
    Annotated[dt.datetime, "TIMESTAMP_LTZ(3)"]: "TIMESTAMP_LTZ(3)",
    dt.date: "DATE",
    dt.time: "TIME(3)",
    dt.timedelta: "INTERVAL DAY TO SECOND(3)",
    list[int]: "ARRAY<BIGINT>",
    dict[str, list[float]]: "MAP<STRING, ARRAY<DOUBLE>>",
    tuple[int, str]: "ROW<`f0` BIGINT, `f1` STRING>",
    Named: "ROW<`a` BIGINT, `b` STRING>",
    Point: "ROW<`x` DOUBLE, `at` TIMESTAMP(6)>",
    Loose: "ROW<`tags` ARRAY<STRING>, `sizes` MAP<STRING, BIGINT>>",
}


@pytest.mark.parametrize("hint", HINTS, ids=HINTS.values())
def test_a_hint_says_the_type(hint):
    found = read_hint(hint, type_of)
    assert found.type.name() == HINTS[hint]
    assert not found.optional
    assert read_hint(hint | None if isinstance(hint, type) else hint, type_of).type.name() == HINTS[hint]


def test_none_makes_a_hint_optional():
    assert read_hint(int | None, type_of).optional
    assert read_hint(Annotated[Decimal | None, "DECIMAL(4, 1)"], type_of).optional


@pytest.fixture
def session():
    return fx.Session({"parallelism.default": "2"})


@pytest.mark.parametrize("name", MICROS)
def test_values_come_back_as_they_were(name, session):
    type_ = from_arrow(TYPES[name][0])
    same = fx.udf(args=[type_], result=type_)(lambda value: value)
    optional = fx.udf(args=[type_], result=type_, strict=False)(lambda value: value)
    rows = session.from_arrow(pa.table({"v": column(name)}), name="t")
    found = rows.select("v", a=same(fx.col("v")), b=optional(fx.col("v"))).to_arrow()
    assert found.schema.field("a").type == found.schema.field("v").type
    assert found["a"].to_pylist() == found["v"].to_pylist() == found["b"].to_pylist()


@pytest.mark.parametrize("name", TYPES)
def test_arrow_arrays_come_back_as_they_were(name, session):
    type_ = from_arrow(TYPES[name][0])
    same = fx.udf(args=[type_], result=type_, vectorized=True)(lambda values: values)
    rows = session.from_arrow(pa.table({"v": column(name)}), name="t")
    found = rows.select("v", a=same(fx.col("v"))).to_arrow()
    assert found["a"].equals(found["v"])


@pytest.mark.parametrize("name", MICROS)
def test_rows_come_out_as_they_went_in(name, session):
    type_ = from_arrow(TYPES[name][0])

    @fx.udtf(args=[type_], result=[type_, "INT"], strict=False)
    def twice(value):
        yield value, 1
        yield (value, 2)

    rows = session.from_arrow(pa.table({"v": column(name)}), name="t")
    found = rows.join_lateral(twice(fx.col("v")).alias("w", "n")).to_arrow()
    assert found["w"].to_pylist() == found["v"].to_pylist()
    assert found["n"].to_pylist() == [1, 2] * len(column(name))


def test_rows_are_the_classes_of_the_hints(session):
    @fx.udf
    def moved(point: Point, by: dt.timedelta) -> Point:
        return Point(point.x + 1, point.at + by)

    @fx.udf
    def joined(named: Named) -> str:
        return f"{named.a}{named.b}"

    @fx.udf
    def loose(tags: list[str]) -> Loose:
        return {"tags": tags[::-1], "sizes": {each: len(each) for each in tags}}

    start = dt.datetime(2024, 5, 1)
    table = pa.table(
        {
            "p": [{"x": 1.5, "at": start}],
            "q": [{"a": 1, "b": None}],
            "tags": [["a", "bb"]],
        }
    )
    rows = session.from_arrow(table, name="t")
    found = rows.select(
        p=moved(fx.col("p"), dt.timedelta(days=1)), q=joined(fx.col("q")), r=loose(fx.col("tags"))
    ).to_arrow()
    assert found.to_pylist() == [
        {
            "p": {"x": 2.5, "at": start + dt.timedelta(days=1)},
            "q": "1None",
            "r": {"tags": ["bb", "a"], "sizes": [("a", 1), ("bb", 2)]},
        }
    ]


def test_a_dataclass_names_the_columns_of_a_table_function(session):
    @fx.udtf
    def points(count: int) -> Iterator[Point]:
        for index in range(count):
            yield Point(index / 2, dt.datetime(2024, 5, 1 + index))

    rows = session.from_arrow(pa.table({"n": [2]}), name="t")
    found = rows.join_lateral(points(fx.col("n"))).to_arrow()
    assert found.schema.names == ["n", "x", "at"]
    assert found["x"].to_pylist() == [0.0, 0.5]


def test_decimals_take_the_scale_of_the_type_and_none_that_is_too_great(session):
    third = fx.udf(result="DECIMAL(4, 2)")(lambda value: Decimal(value) / 3)
    rows = session.from_arrow(pa.table({"v": [1, 2, 1000, None]}), name="t")
    found = rows.select(a=third(fx.col("v"))).to_arrow()["a"].to_pylist()
    assert found == [Decimal("0.33"), Decimal("0.67"), None, None]
