"""Text that would take all memory is refused before it is made."""

from __future__ import annotations

import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.errors import DataError
from fluxcore.expr import made_text, rowwise

GIANTS = [
    "REPEAT('x', 2000000000)",
    "LPAD('x', 2000000000, 'yz')",
    "RPAD('x', 2000000000, 'yz')",
    "PRINTF('%2000000000d', 1)",
    "PRINTF('%-2000000000s', 'a')",
    "PRINTF('%.2000000000f', 1E0)",
    "PRINTF('%2000000000n', 1)",
    "PRINTF('%1$s%1$s%1$s%1$s', REPEAT('x', 20000000))",
    "CAST('a' AS CHAR(2000000000))",
    "CAST(x'01' AS BINARY(2000000000))",
    "REPLACE(REPEAT('x', 20000), 'x', REPEAT('y', 20000))",
    "REPLACE(REPEAT('x', 20000), '', REPEAT('y', 20000))",
    "REGEXP_REPLACE(REPEAT('x', 20000), '[x]', REPEAT('y', 20000))",
    "ARRAY_JOIN(SPLIT(REPEAT('x,', 20000), ','), REPEAT('y', 20000))",
]


def value(expression: str) -> object:
    return Session().sql(f"SELECT {expression}").to_arrow().column(0)[0].as_py()


@pytest.mark.parametrize("expression", GIANTS)
def test_a_giant_text_is_a_data_error(expression: str) -> None:
    with pytest.raises(DataError) as caught:
        value(expression)
    assert caught.value.code == "FX-RUN-0114"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CHAR_LENGTH(REPEAT('ab', 20000000))", 40_000_000),
        ("CHAR_LENGTH(LPAD('a', 1000000, 'xy'))", 1_000_000),
        ("RPAD('a', 2000000000, '')", None),
        ("LPAD('a', -2000000000, 'x')", None),
        ("REPEAT('a', -2000000000)", ""),
        ("REPEAT('', 2000000000)", ""),
        ("REPLACE('aXbX', 'X', '12345678')", "a12345678b12345678"),
        ("PRINTF('%2147483648d', 1)", None),  # Java can't read the width
        ("PRINTF('%99999999999$d', 1)", None),
        ("CASE WHEN 1 = 1 THEN 'short' ELSE REPEAT('x', 2000000000) END", "short"),
    ],
)
def test_other_texts_are_as_they_were(expression: str, expected: object) -> None:
    assert value(expression) == expected


def test_texts_that_are_too_long_together_are_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_text, "MADE_BATCH_CHARACTERS_MAX", 100_000)
    monkeypatch.setattr(rowwise, "MADE_BATCH_CHARACTERS_MAX", 100_000)
    few = pa.table({"n": pa.array([each % 2 for each in range(3000)], pa.int32())})
    many = pa.table({"n": pa.array(range(3000), pa.int32())})
    for table, expression, fits in (
        (few, "REPEAT('x', 30 + n)", True),
        (few, "REPEAT('x', 50 + n)", False),  # each different one is made once, and stands in many rows
        (many, "REPEAT('x', n)", False),
        (many, "LPAD('x', 33, CAST(n AS STRING))", True),
        (many, "LPAD('x', 34, CAST(n AS STRING))", False),
        (many, "CAST(CAST(n AS STRING) AS CHAR(33))", True),
        (many, "CAST(CAST(n AS STRING) AS CHAR(34))", False),
        (many, "REPEAT('constant', 4)", True),
        (many, "REPEAT('constant', 5)", False),
    ):
        session = Session({"parallelism.default": "1"})
        session.from_arrow(table, name="numbers")
        query = session.sql(f"SELECT {expression} AS c, n FROM numbers")
        if fits:
            assert query.to_arrow().num_rows == 3000
            continue
        with pytest.raises(DataError) as caught:
            query.to_arrow()
        assert caught.value.code == "FX-RUN-0114", expression
