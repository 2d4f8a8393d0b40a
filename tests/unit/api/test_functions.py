"""Functions in Python: how they are declared, called and refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import fluxcore as fx
from fluxcore.errors import DataError, ScriptError

TABLE = pa.table({"x": [1, 2, None, 4], "s": ["a b", None, "", "c d e"]})


@pytest.fixture
def session() -> fx.Session:
    session = fx.Session({"parallelism.default": "2"})
    session.from_arrow(TABLE, name="t")
    return session


def values(session: fx.Session, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in session.sql(query).to_arrow().to_pylist()]


@fx.udf
def half(x: int) -> float:
    return x / 2


@fx.udf
def known(x: int | None) -> bool:
    return x is not None


@fx.udtf
def words(text: str, least: int = 1) -> Iterator[tuple[str, int]]:
    for word in text.split():
        if len(word) >= least:
            yield word, len(word)


def test_a_function_stays_the_function_that_it_was() -> None:
    assert half(3) == 1.5
    assert half.__name__ == "half"
    assert list(words("a bb")) == [("a", 1), ("bb", 2)]
    assert repr(half) == "<udf half(x BIGINT) -> DOUBLE>"


def test_null_gives_null_unless_the_hint_takes_none(session: fx.Session) -> None:
    session.register_function("half", half)
    session.register_function("known", known)
    assert values(session, "SELECT HALF(x), known(x) FROM t") == [(0.5, True), (1.0, True), (None, False), (2.0, True)]


def test_a_function_of_several_arguments_gets_whole_rows_only(session: fx.Session) -> None:
    @fx.udf
    def tell(x: int, s: str, end: str = "!") -> str:
        return f"{x}{s}{end}"

    session.register_function("tell", tell)
    query = "SELECT tell(x, s), tell(x, s, '?'), tell(x => x, s => s), tell(x, NULL) FROM t"
    assert values(session, query) == [
        ("1a b!", "1a b?", "1a b!", None),
        (None, None, None, None),
        (None, None, None, None),
        ("4c d e!", "4c d e?", "4c d e!", None),
    ]


def test_any_number_of_arguments_of_any_type(session: fx.Session) -> None:
    session.register_function("joined", fx.udf(result="STRING", strict=False)(lambda *parts: "|".join(map(str, parts))))
    assert values(session, "SELECT joined(x, s, 1.5) FROM t WHERE x = 2") == [("2|None|1.5",)]


def test_columns_of_a_stream_are_arguments_too(session: fx.Session) -> None:
    found = session.table("t").filter(half(fx.col("x")) > 0.5).select("x", h=half(fx.col("x") + 1)).to_arrow()
    assert found.to_pylist() == [{"x": 2, "h": 1.5}, {"x": 4, "h": 2.5}]


def test_arrow_arrays_carry_nulls(session: fx.Session) -> None:
    @fx.udf(vectorized=True)
    def doubled(x: pa.Int64Array) -> pa.Int64Array:
        return pc.multiply(pc.fill_null(x, 100), 2)

    session.register_function("doubled", doubled)
    assert values(session, "SELECT doubled(x), doubled(5) FROM t") == [(2, 10), (4, 10), (200, 10), (8, 10)]


def test_numpy_arrays_have_no_rows_of_null(session: fx.Session) -> None:
    seen: list[int] = []

    @fx.udf(vectorized=True)
    def root(x: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        seen.append(len(x))
        return np.sqrt(x)

    session.register_function("root", root)
    assert values(session, "SELECT root(x) FROM t") == [(1.0,), (2**0.5,), (None,), (2.0,)]
    assert seen == [3]


def test_a_constant_call_is_computed_once_for_all_and_others_never(session: fx.Session) -> None:
    calls: list[int] = []

    def noted(x: int) -> int:
        calls.append(x)
        return len(calls)

    session.register_function("fixed", fx.udf(noted))
    session.register_function("fresh", fx.udf(deterministic=False)(noted))
    assert "fixed" not in session.sql("SELECT fixed(7) FROM t").explain()
    calls.clear()
    found = values(session, "SELECT fresh(1), fresh(1) FROM t")
    assert len(calls) == 2 * len(found) == len({each for row in found for each in row})


def test_a_call_that_stands_twice_is_computed_once(session: fx.Session) -> None:
    calls: list[int] = []

    @fx.udf
    def noted(x: int) -> int:
        calls.append(x)
        return x * 10

    session.register_function("noted", noted)
    assert values(session, "SELECT noted(x) + 1, noted(x) FROM t WHERE x < 3") == [(11, 10), (21, 20)]
    assert sorted(calls) == [1, 2]


def test_branches_of_case_see_only_their_rows(session: fx.Session) -> None:
    session.register_function("inverse", fx.udf(result="DOUBLE")(lambda x: 1 / (x - 2)))
    found = values(session, "SELECT CASE WHEN x = 2 THEN 0.0 ELSE inverse(x) END FROM t WHERE x IS NOT NULL")
    assert found == [(-1.0,), (0.0,), (0.5,)]


def test_rows_for_each_row(session: fx.Session) -> None:
    session.register_function("words", words)
    assert values(session, "SELECT x, w, n FROM t, LATERAL TABLE(words(s)) AS r(w, n)") == [
        (1, "a", 1),
        (1, "b", 1),
        (4, "c", 1),
        (4, "d", 1),
        (4, "e", 1),
    ]
    query = "SELECT x, f0 FROM t LEFT JOIN LATERAL TABLE(words(s, 2)) ON TRUE"
    assert values(session, query) == [(1, None), (2, None), (None, None), (4, None)]
    assert values(session, "SELECT * FROM LATERAL TABLE(words('x yy'))") == [("x", 1), ("yy", 2)]


def test_rows_of_a_stream(session: fx.Session) -> None:
    found = session.table("t").join_lateral(words(fx.col("s")).alias("w", "n"), outer=True).select("x", "w").to_arrow()
    assert found["w"].to_pylist() == ["a", "b", None, None, "c", "d", "e"]
    tags = session.from_arrow(pa.table({"tags": [["a"], ["b", "c"]]}), name="u")
    found = tags.join_lateral(fx.unnest("tags", ordinality=True).alias("tag", "n")).select("tag", "n").to_arrow()
    assert found.to_pylist() == [{"tag": "a", "n": 1}, {"tag": "b", "n": 1}, {"tag": "c", "n": 2}]


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_rows_of_an_updated_table_are_taken_back(parallelism: str) -> None:
    session = fx.Session({"parallelism.default": parallelism})
    session.from_arrow(pa.table({"k": [i % 3 for i in range(300)]}), name="t")

    @fx.udtf
    def digits(n: int) -> Iterator[str]:
        yield from str(n)

    session.register_function("digits", digits)
    query = """SELECT d, COUNT(*) AS c FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k), LATERAL TABLE(digits(n)) AS r(d)
        GROUP BY d"""
    assert sorted(values(session, query)) == [("0", 6), ("1", 3)]


def test_an_exception_names_the_function_the_line_and_the_values(session: fx.Session) -> None:
    @fx.udf
    def inverse(x: int, name: str) -> float:
        return 1 / (x - 4)

    session.register_function("inverse", inverse)
    with pytest.raises(DataError) as caught:
        values(session, "SELECT inverse(x, 'n') FROM t")
    assert caught.value.code == "FX-RUN-0212"
    assert "ZeroDivisionError: division by zero" in caught.value.message
    assert caught.value.hint is not None
    line = inverse.function.__code__.co_firstlineno + 2
    assert f"in inverse, line {line} of {__file__}, given (4, 'n')" in caught.value.hint
    assert caught.value.span is not None


def test_an_exception_of_a_table_function_does_too(session: fx.Session) -> None:
    @fx.udtf
    def broken(x: int) -> Iterator[int]:
        yield x
        raise LookupError("no more")

    session.register_function("broken", broken)
    with pytest.raises(DataError, match="LookupError: no more") as caught:
        values(session, "SELECT y FROM t, LATERAL TABLE(broken(x)) AS r(y)")
    assert caught.value.hint is not None
    assert "given (1,)" in caught.value.hint


@pytest.mark.parametrize(
    ("result", "value", "shown"),
    [
        ("BIGINT", 1.5, "float is no BIGINT"),
        ("INT", True, "bool is no INT"),
        ("TINYINT", 300, "no TINYINT"),
        ("STRING", b"x", "bytes is no STRING"),
        ("ARRAY<INT>", 3, "no ARRAY<INT>"),
        ("ROW<a INT, b INT>", 3, "no ROW"),
    ],
)
def test_a_result_of_another_type_names_the_value(session: fx.Session, result: str, value: Any, shown: str) -> None:
    session.register_function("wrong", fx.udf(result=result)(lambda x: value if x == 2 else None))
    with pytest.raises(DataError) as caught:
        values(session, "SELECT wrong(x) FROM t")
    assert caught.value.code == "FX-RUN-0213"
    assert shown in caught.value.message
    assert caught.value.hint is not None
    assert "given (2,)" in caught.value.hint


def test_arrays_must_have_a_value_for_each_row(session: fx.Session) -> None:
    session.register_function("short", fx.udf(result="BIGINT", vectorized=True)(lambda x: x[:1]))
    with pytest.raises(DataError, match="gave 1 values for 4 rows"):
        values(session, "SELECT short(x) FROM t")


def test_rows_must_have_a_value_for_each_column(session: fx.Session) -> None:
    session.register_function("short", fx.udtf(result=["BIGINT", "STRING"])(lambda x: [(x,)]))
    with pytest.raises(DataError, match="has 1 values, and there are 2 columns"):
        values(session, "SELECT x FROM t, LATERAL TABLE(short(x)) AS r(a, b)")


def test_types_that_are_not_said_are_refused() -> None:
    with pytest.raises(ScriptError, match="what type the result of nothing has is not said") as caught:

        @fx.udf
        def nothing(x: int):  # type: ignore[no-untyped-def]
            return x

    assert caught.value.code == "FX-API-0051"
    with pytest.raises(ScriptError, match="the argument 'x' has no SQL type: complex") as caught:

        @fx.udf
        def complicated(x: complex) -> int:
            return 1

    assert caught.value.code == "FX-API-0050"
    with pytest.raises(ScriptError, match="is not vectorised"):

        @fx.udf
        def plain(x: pa.Int64Array) -> pa.Int64Array:
            return x

    with pytest.raises(ScriptError, match="no Iterator, Generator or list"):

        @fx.udtf
        def one(x: int) -> int:
            return x

    with pytest.raises(ScriptError, match="takes 1 arguments, and 2 types are given"):
        fx.udf(args=["INT", "INT"], result="INT")(lambda x: x)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT half(s) FROM t", "FX-SQL-0312"),
        ("SELECT half() FROM t", "FX-SQL-0310"),
        ("SELECT half(x, x) FROM t", "FX-SQL-0310"),
        ("SELECT half(y => x) FROM t", "FX-SQL-0206"),
        ("SELECT half(DISTINCT x) FROM t", "FX-SQL-0206"),
        ("SELECT words(s) FROM t", "FX-SQL-0206"),
        ("SELECT x FROM t, LATERAL TABLE(half(x)) AS r(y)", "FX-SQL-0210"),
        ("SELECT x FROM t, LATERAL TABLE(nothing(x)) AS r(y)", "FX-SQL-0210"),
        ("SELECT x FROM t, LATERAL TABLE(words(s)) AS r(y)", "FX-SQL-0209"),
    ],
)
def test_wrong_calls_are_refused_at_their_place(session: fx.Session, query: str, code: str) -> None:
    session.register_function("half", half)
    session.register_function("words", words)
    with pytest.raises(ScriptError) as caught:
        session.sql(query)
    assert caught.value.code == code
    assert caught.value.place is not None


def test_a_plain_function_with_hints_can_be_registered(session: fx.Session) -> None:
    def twice(x: int) -> int:
        return 2 * x

    session.register_function("twice", twice)
    assert values(session, "SELECT TWICE(x) FROM t WHERE x > 1") == [(4,), (8,)]
    with pytest.raises(ScriptError) as caught:
        session.register_function("three", 3)
    assert caught.value.code == "FX-API-0014"


def test_an_aggregate_function_may_say_its_type_by_a_hint(session: fx.Session) -> None:
    class Longest(fx.AggregateFunction):
        def create(self) -> list[str]:
            return [""]

        def accumulate(self, accumulator: list[str], value: str | None) -> None:
            if value is not None and len(value) > len(accumulator[0]):
                accumulator[0] = value

        def result(self, accumulator: list[str]) -> str:
            return accumulator[0]

    session.register_function("longest", Longest)
    assert values(session, "SELECT longest(s) FROM t") == [("c d e",)]
    assert session.table("t").group_by().agg(a=fx.udaf(Longest())("s")).to_arrow()["a"].to_pylist() == ["c d e"]
