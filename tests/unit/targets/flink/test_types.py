"""Flink's JSON values as Arrow columns."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from fluxcore.errors import JobError
from fluxcore.targets.flink.types import column_of, rows_of, schema_of, type_of

CASES = [
    ({"type": "BOOLEAN"}, [True, None], [True, None]),
    ({"type": "TINYINT"}, [-128, None], [-128, None]),
    ({"type": "BIGINT"}, [2**63 - 1, None], [2**63 - 1, None]),
    ({"type": "DOUBLE"}, [Decimal("0.1"), "NaN", "-Infinity", 5, None], [0.1, "nan", float("-inf"), 5.0, None]),
    ({"type": "DECIMAL", "precision": 38, "scale": 3}, [Decimal("1.1"), 12345678901234567890123456789012345, None],
     [Decimal("1.100"), Decimal("12345678901234567890123456789012345.000"), None]),
    ({"type": "VARCHAR", "length": 10}, ["é", None], ["é", None]),
    ({"type": "VARBINARY", "length": 10}, ["AQI=", "", None], [b"\x01\x02", b"", None]),
    ({"type": "DATE"}, ["2024-02-29", None], [dt.date(2024, 2, 29), None]),
    ({"type": "TIME_WITHOUT_TIME_ZONE", "precision": 3}, ["10:11:12.5", "10:11", None],
     [dt.time(10, 11, 12, 500000), dt.time(10, 11), None]),
    ({"type": "TIMESTAMP_WITHOUT_TIME_ZONE", "precision": 6}, ["2024-01-01T00:00:00.123456", "2024-01-01T00:00:00", None],
     [dt.datetime(2024, 1, 1, 0, 0, 0, 123456), dt.datetime(2024, 1, 1), None]),
    ({"type": "TIMESTAMP_WITH_LOCAL_TIME_ZONE", "precision": 3}, ["1970-01-01T00:00:01Z", None],
     [dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), None]),
    ({"type": "INTERVAL_DAY_TIME"}, [86400000, None], [86400000, None]),
    ({"type": "INTERVAL_YEAR_MONTH"}, [3, None], [3, None]),
    ({"type": "ARRAY", "elementType": {"type": "INTEGER"}}, [[1, None], [], None, [2]], [[1, None], [], None, [2]]),
    ({"type": "MAP", "keyType": {"type": "VARCHAR"}, "valueType": {"type": "DATE"}}, [{"a": "2024-01-01"}, {}, None],
     [[("a", dt.date(2024, 1, 1))], [], None]),
    ({"type": "MULTISET", "elementType": {"type": "VARCHAR"}}, [{"a": 2}], [[("a", 2)]]),
    ({"type": "ROW", "fields": [{"name": "x", "fieldType": {"type": "INTEGER"}}]}, [{"x": 1}, None, {"x": None}],
     [{"x": 1}, None, {"x": None}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "values", "expected"),
    CASES,
    ids=lambda value: value["type"] if isinstance(value, dict) and "type" in value else "",
)
def test_values_of_each_type(told, values, expected):
    array = column_of(values, type_of(told))
    assert array.type == type_of(told).arrow()
    assert ["nan" if value != value else value for value in array.to_pylist()] == expected
    assert len(column_of([], type_of(told))) == 0


def test_rows_are_a_batch_of_named_columns():
    schema = schema_of([{"name": "a", "logicalType": {"type": "INTEGER", "nullable": False}},
                        {"name": "b", "logicalType": {"type": "VARCHAR"}}])  # fmt: skip
    assert rows_of([[1, "x"], [2, None]], schema).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert rows_of([], schema).num_rows == 0
    assert [column.type.nullable for column in schema] == [False, True]


def test_nanoseconds_are_kept():
    type_ = type_of({"type": "TIMESTAMP_WITHOUT_TIME_ZONE", "precision": 9})
    assert column_of(["2024-01-01T00:00:00.123456789"], type_).cast(pa.int64())[0].as_py() % 1_000_000_000 == 123456789


def test_a_type_without_an_arrow_form_is_named():
    with pytest.raises(JobError, match="RAW"):
        type_of({"type": "RAW"})
