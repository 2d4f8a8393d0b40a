"""VARIANT: what may be done with one, and what not."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.api.session import Session
from fluxcore.cli.output.sinks import JsonSink
from fluxcore.core.batch import Batch
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import VARIANT, ArrayType
from fluxcore.errors import DataError, ScriptError
from fluxcore.expr.variants import parse_json

if TYPE_CHECKING:
    from pathlib import Path


CASTS = [
    ("1e3", "INT", 1000),
    ("2147483647", "INT", 2147483647),
    ("1.0", "BIGINT", 1),
    ("1.50", "DECIMAL(5, 1)", Decimal("1.5")),
    ("0.1", "DOUBLE", 0.1),
    ("12345678901234567890", "DECIMAL(20, 0)", Decimal("12345678901234567890")),
    ("true", "BOOLEAN", True),
    ('"abc"', "VARCHAR(2)", "ab"),
    ("true", "STRING", "TRUE"),
    ("1e3", "STRING", "1000.0"),
    ("1.50", "STRING", "1.5"),
    ('{"b": [1, null], "a": "x"}', "STRING", "{a=x, b=[1, NULL]}"),
    ("null", "STRING", None),
    ("null", "INT", None),
]
REFUSED = [
    ("2147483648", "INT"),
    ("1.5", "INT"),
    ('"7"', "INT"),
    ("true", "INT"),
    ("1", "BOOLEAN"),
    ("1.55", "DECIMAL(5, 1)"),
    ("12345", "DECIMAL(3, 0)"),
    ("[1]", "INT"),
]


def one(expression: str) -> object:
    return Session({"parallelism.default": "1"}).sql(f"SELECT {expression} AS x").to_arrow()["x"].to_pylist()[0]


@pytest.mark.parametrize(("text", "type_", "value"), CASTS)
def test_a_cast_gives_the_value_that_is_there(text: str, type_: str, value: object) -> None:
    assert one(f"CAST(PARSE_JSON('{text}') AS {type_})") == value


@pytest.mark.parametrize(("text", "type_"), REFUSED)
def test_a_cast_to_what_cannot_hold_the_value_fails_and_try_cast_gives_null(text: str, type_: str) -> None:
    with pytest.raises(DataError, match="FX-RUN-0102"):
        one(f"CAST(PARSE_JSON('{text}') AS {type_})")
    assert one(f"TRY_CAST(PARSE_JSON('{text}') AS {type_})") is None


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT x FROM (VALUES (PARSE_JSON('1'))) AS t(x) ORDER BY x", "FX-SQL-0216"),
        ("SELECT ROW_NUMBER() OVER (ORDER BY x) FROM (VALUES (PARSE_JSON('1'))) AS t(x)", "FX-SQL-0216"),
        ("SELECT x FROM (VALUES (ROW(1))) AS t(x) ORDER BY x", "FX-SQL-0216"),
        ("SELECT MAX(x) FROM (VALUES (PARSE_JSON('1'))) AS t(x)", "FX-SQL-0314"),
        ("SELECT PARSE_JSON('1') < PARSE_JSON('2')", "FX-SQL-0310"),
        ("SELECT GREATEST(PARSE_JSON('1'), PARSE_JSON('2'))", "FX-SQL-0310"),
        ("SELECT PARSE_JSON('1') = 1", "FX-SQL-0310"),
        ("SELECT UPPER(PARSE_JSON('1'))", "FX-SQL-0310"),
        ("SELECT PARSE_JSON(1)", "FX-SQL-0310"),
        ("SELECT PARSE_JSON('1')[TRUE]", "FX-SQL-0310"),
        ("SELECT CAST(PARSE_JSON('1') AS DATE)", "FX-SQL-0311"),
        ("SELECT CAST(1 AS VARIANT)", "FX-SQL-0311"),
    ],
)
def test_what_a_variant_does_not_do_is_refused(query: str, code: str) -> None:
    with pytest.raises(ScriptError) as caught:
        Session({"parallelism.default": "1"}).sql(query).to_arrow()
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["{", '{"a":1,"a":2}', "NaN", "1e999", "[" * 100_000])
def test_what_is_no_json_fails(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
@pytest.mark.parametrize("type_", ["VARIANT", "ARRAY<VARIANT>"])
def test_no_file_format_holds_one(tmp_path: Path, format_: str, type_: str) -> None:
    with pytest.raises(ScriptError) as caught:
        Session().execute(
            f"CREATE TABLE t (v {type_}) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = '{format_}')"
        )
    assert caught.value.code == "FX-FMT-0002"


def test_json_output_is_the_value_itself() -> None:
    out = io.BytesIO()
    schema = Schema.of(each for each in (Column("v", VARIANT), Column("a", ArrayType(element=VARIANT))))
    text = parse_json('{"b": 1e3, "a": [1.50, null]}')
    columns = [pa.array([text, None]), pa.array([[text], None], pa.list_(pa.string()))]
    JsonSink(out, schema).write(Batch(pa.RecordBatch.from_arrays(columns, ["v", "a"])))
    first, second = out.getvalue().decode().splitlines()
    assert first.startswith('{"v": {"a":[1.5,null],"b":1000.0}, "a": [{')
    assert json.loads(second) == {"v": None, "a": None}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=20,
)


@given(values)
def test_a_value_keeps_what_it_holds_and_has_one_text(value: object) -> None:
    text = parse_json(json.dumps(value))
    assert text == parse_json(json.dumps(value, ensure_ascii=False, indent=1)) == parse_json(text)
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "part", ["PARSE_JSON('[1]')['a']", "PARSE_JSON('{}')[1]", "PARSE_JSON('null')['a']", "PARSE_JSON('1')[1]"]
)
def test_a_part_of_what_has_no_such_parts_fails(part: str) -> None:
    with pytest.raises(DataError, match="FX-RUN-0106"):
        one(part)


def test_only_the_branch_that_is_taken_asks_for_a_part() -> None:
    rows = "(VALUES ('{\"a\": 1}'), ('[2]')) AS t(s)"
    part = "CASE WHEN s LIKE '{%' THEN PARSE_JSON(s)['a'] ELSE PARSE_JSON(s)[1] END"
    found = Session({"parallelism.default": "1"}).sql(f"SELECT {part} AS x FROM {rows}").to_arrow()
    assert found["x"].to_pylist() == ["1", "2"]
