"""What is written is what a reader of the same format, or of another make, reads."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP_LTZ,
    TINYINT,
    ArrayType,
    DecimalType,
    MapType,
    RowType,
    TimestampType,
    TimeType,
)
from fluxcore.errors import JobError
from fluxcore.formats.csv import CsvFormat
from fluxcore.formats.json import JsonFormat

calm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.sampled_from("ab\",;\n\t\\#é\U0001f600'\x01"), max_size=70) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8
)
MOMENT = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31))
SIMPLE = {
    "t": (TINYINT, st.integers(-128, 127)),
    "i": (INT, st.integers(-(2**31), 2**31 - 1)),
    "b": (BIGINT, st.integers(-(2**63), 2**63 - 1)),
    "d": (DOUBLE, st.floats(allow_nan=False)),
    "f": (FLOAT, st.floats(width=32, allow_nan=False)),
    "s": (STRING, TEXT),
    "o": (BOOLEAN, st.booleans()),
    "y": (BYTES, st.binary(max_size=6)),
    "a": (DATE, st.dates()),
    "m": (
        TimeType(precision=3),
        st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)),
    ),
    "ts": (TimestampType(precision=6), MOMENT),
    "tz": (TIMESTAMP_LTZ, MOMENT.map(lambda each: each.replace(microsecond=0, tzinfo=datetime.UTC))),
    "n": (DecimalType(precision=20, scale=3), st.decimals(-(10**16), 10**16, places=3, allow_nan=False)),
}
NESTED = {
    "l": (ArrayType(element=STRING), st.lists(st.none() | TEXT, max_size=3)),
    "r": (RowType(fields=(("x", INT), ("w", TimestampType(precision=6)))), st.fixed_dictionaries({"x": st.none() | st.integers(0, 9), "w": MOMENT})),
    "p": (MapType(key=STRING, value=DOUBLE), st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=2).map(lambda each: list(each.items()))),
    "ll": (ArrayType(element=ArrayType(element=BYTES)), st.lists(st.lists(st.binary(max_size=3), max_size=2), max_size=2)),
}  # fmt: skip


def schema_of(columns) -> Schema:
    return Schema.of(Column(name, type_) for name, (type_, _) in columns.items())


def rows_of(columns, nulls: bool = True):
    return st.lists(
        st.fixed_dictionaries({name: st.none() | made if nulls else made for name, (_, made) in columns.items()}),
        max_size=12,
    )


@calm
@given(rows=rows_of(SIMPLE | NESTED), first=st.integers(0, 3), iso=st.booleans())
def test_json_comes_back(reading, rows, first, iso) -> None:
    schema = schema_of(SIMPLE | NESTED)
    options = {"json.timestamp-format.standard": "ISO-8601" if iso else "SQL"}
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.arrow()).slice(first)
    content = JsonFormat().encoder(schema, options).encode(batch).to_pybytes()
    for line in content.splitlines():
        assert list(json.loads(line)) == schema.names
    assert reading("json", schema).rows(content) == batch.to_pylist()


@calm
@given(rows=rows_of(SIMPLE), first=st.integers(0, 3), style=st.integers(0, 3))
def test_csv_comes_back(reading, rows, first, style) -> None:
    schema = schema_of(SIMPLE)
    options = {"csv.null-literal": "-NULL-"} | [
        {},
        {"csv.field-delimiter": ";", "csv.quote-character": "'", "csv.header": "true"},
        {"csv.escape-character": "\\", "csv.field-delimiter": "-"},
        {"csv.allow-comments": "true"},
    ][style]
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.arrow()).slice(first)
    encoder = CsvFormat().encoder(schema, options)
    content = encoder.header() + encoder.encode(batch).to_pybytes()
    assert reading("csv", schema, options=options).rows(content) == batch.to_pylist()
    if style == 0:
        texts = list(csv.reader(io.StringIO(content.decode(), newline="")))
        column = schema.names.index("s")
        assert [row[column] for row in texts] == [
            "-NULL-" if row["s"] is None else row["s"] for row in batch.to_pylist()
        ]


def test_csv_collections_come_back(reading) -> None:
    schema = Schema.of([Column("l", ArrayType(element=INT)), Column("r", RowType(fields=(("x", INT), ("s", STRING))))])
    rows = [{"l": [1, 2], "r": {"x": 1, "s": "a,b"}}, {"l": [], "r": {"x": None, "s": 'q"'}}, {"l": None, "r": None}]
    options = {"csv.null-literal": "NULL"}
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.arrow())
    content = CsvFormat().encoder(schema, options).encode(batch).to_pybytes()
    assert reading("csv", schema, options=options).rows(content) == rows


def test_the_forms_are_those_of_flink() -> None:
    schema = schema_of(SIMPLE)
    row = {
        "t": 1, "i": 2, "b": 3, "d": 1.5, "f": 0.1, "s": 'q"\x01\n', "o": True, "y": b"\x00\xff",
        "a": datetime.date(2024, 2, 29), "m": datetime.time(1, 2, 3, 400000),
        "ts": datetime.datetime(2024, 1, 2, 3, 4, 5, 120000), "tz": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC),
        "n": Decimal("1.500"),
    }  # fmt: skip
    batch = pa.RecordBatch.from_pylist([row], schema=schema.arrow())
    assert JsonFormat().encoder(schema, {}).encode(batch).to_pybytes().decode() == (
        '{"t":1,"i":2,"b":3,"d":1.5,"f":0.1,"s":"q\\"\\u0001\\n","o":true,"y":"AP8=","a":"2024-02-29",'
        '"m":"01:02:03.4","ts":"2024-01-02 03:04:05.12","tz":"2024-01-02 00:00:00Z","n":1.500}\n'
    )
    assert CsvFormat().encoder(schema, {}).encode(batch).to_pybytes().decode() == (
        '1,2,3,1.5,0.1,"q""\x01\n",true,AP8=,2024-02-29,01:02:03.4,2024-01-02 03:04:05.12,2024-01-02 00:00:00Z,1.500\n'
    )


def test_numbers_that_are_none_are_names(reading) -> None:
    schema = Schema.of([Column("d", DOUBLE), Column("f", FLOAT)])
    rows = [{"d": math.inf, "f": -math.inf}, {"d": math.nan, "f": math.nan}, {"d": None, "f": 1.0}]
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.arrow())
    content = JsonFormat().encoder(schema, {}).encode(batch).to_pybytes()
    assert content == b'{"d":"Infinity","f":"-Infinity"}\n{"d":"NaN","f":"NaN"}\n{"d":null,"f":1}\n'
    assert str(reading("json", schema).rows(content)) == str(rows)
    options = {"csv.null-literal": "null"}
    content = CsvFormat().encoder(schema, options).encode(batch).to_pybytes()
    assert content == b"Infinity,-Infinity\nNaN,NaN\nnull,1\n"
    assert str(reading("csv", schema, options=options).rows(content)) == str(rows)


@calm
@given(rows=rows_of({"i": SIMPLE["i"], "s": SIMPLE["s"], "r": NESTED["r"]}))
def test_json_can_leave_nulls_out(rows) -> None:
    schema = schema_of({"i": SIMPLE["i"], "s": SIMPLE["s"], "r": NESTED["r"]})
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.arrow())
    content = JsonFormat().encoder(schema, {"json.encode.ignore-null-fields": "true"}).encode(batch).to_pybytes()
    found = [json.loads(line) for line in content.split(b"\n")[:-1]]
    assert [list(row) for row in found] == [[name for name in schema.names if row[name] is not None] for row in rows]
    assert [row.get("s") for row in found] == [row["s"] for row in rows]


def test_a_text_that_can_not_be_quoted_is_an_error() -> None:
    schema = Schema.of([Column("s", STRING)])
    batch = pa.RecordBatch.from_pylist([{"s": "a,b"}], schema=schema.arrow())
    with pytest.raises(JobError) as caught:
        CsvFormat().encoder(schema, {"csv.disable-quote-character": "true"}).encode(batch)
    assert caught.value.code == "FX-FMT-0003"


def test_messages_have_no_line_end() -> None:
    schema = Schema.of([Column("s", STRING), Column("i", INT)])
    batch = pa.RecordBatch.from_pylist([{"s": "a\nb", "i": 1}, {"s": None, "i": 2}], schema=schema.arrow())
    assert JsonFormat().encoder(schema, {}).encode_messages(batch).to_pylist() == [
        b'{"s":"a\\nb","i":1}',
        b'{"s":null,"i":2}',
    ]
    assert CsvFormat().encoder(schema, {}).encode_messages(batch).to_pylist() == [b'"a\nb",1', b",2"]
    assert JsonFormat().encoder(schema, {}).encode(batch.slice(0, 0)).to_pybytes() == b""
