"""Parquet files: pruned or not, the answer is the same."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxcore.core.ports import Bound, Pushdown, Signal
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, DATE, DOUBLE, INT, STRING, TIMESTAMP, TIMESTAMP_LTZ, TimestampType
from fluxcore.errors import DataError
from fluxcore.formats.parquet import ParquetFormat

calm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SCHEMA = Schema.of([Column("n", BIGINT), Column("s", STRING), Column("t", TIMESTAMP), Column("d", DOUBLE)])
START = datetime.datetime(2024, 1, 1)


@pytest.fixture
def rows_in(reading, tmp_path: Path) -> Callable:
    def read(table: pa.Table, group: int = 1000, schema: Schema = SCHEMA, **settings_):
        pq.write_table(table, tmp_path / "table.parquet", row_group_size=group)
        reader = reading("parquet", schema, **settings_)
        return reader.rows((tmp_path / "table.parquet").read_bytes())

    return read


def table_of(numbers: list[int | None]) -> pa.Table:
    moments = [None if n is None else START + datetime.timedelta(milliseconds=n) for n in numbers]
    return pa.table(
        {
            "n": pa.array(numbers, pa.int64()),
            "s": [None if n is None else f"text {n}" for n in numbers],
            "t": pa.array(moments, pa.timestamp("us")),
            "d": pa.array([None if n is None else n / 2 for n in numbers], pa.float64()),
        }
    )


COMPARE = {"=": pc.equal, "<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal}


@calm
@given(
    numbers=st.lists(st.none() | st.integers(0, 40), max_size=40),
    group=st.integers(1, 7),
    op=st.sampled_from(list(COMPARE)),
    value=st.integers(-1, 41),
    column=st.sampled_from(["n", "s", "t", "d"]),
    wanted=st.permutations([0, 1, 2, 3]),
)
def test_pruning_and_late_reading_change_nothing(rows_in, numbers, group, op, value, column, wanted) -> None:
    literal = {"n": value, "s": f"text {value}", "t": START + datetime.timedelta(milliseconds=value), "d": value / 2}[
        column
    ]
    at = [SCHEMA[index].name for index in wanted].index(column)
    pushdown = Pushdown(
        lambda batch: COMPARE[op](batch.column(at), pa.scalar(literal)), (Bound(at, op, literal),), (at,)
    )
    table = table_of(numbers)
    found = rows_in(table, group, columns=wanted, pushdown=pushdown)
    chosen = table.filter(pc.fill_null(COMPARE[op](table[column], pa.scalar(literal)), False))
    assert found == chosen.select([SCHEMA[index].name for index in wanted]).to_pylist()


def test_row_groups_that_can_not_match_are_not_taken(reading, tmp_path: Path) -> None:
    pq.write_table(table_of(list(range(100))), tmp_path / "t", row_group_size=10)
    pushdown = Pushdown(lambda batch: pc.greater(batch.column(0), 84), (Bound(0, ">", 84),), (0,))
    reader = reading("parquet", SCHEMA, pushdown=pushdown).open((tmp_path / "t").read_bytes())
    taken = []
    while (unit := reader.take()) is not Signal.END:
        taken.append(unit.number)
    reader.close()
    assert taken == [8, 9]


def test_statistics_of_numbers_that_may_be_nan_prune_nothing(rows_in) -> None:
    table = pa.table({"d": pa.array([1.0, float("nan")])})
    pushdown = Pushdown(lambda batch: pc.is_nan(batch.column(0)), (Bound(0, ">", 5.0),), (0,))
    assert len(rows_in(table, schema=Schema.of([Column("d", DOUBLE)]), pushdown=pushdown)) == 1


def test_a_reader_goes_on_where_another_stopped(reading, tmp_path: Path) -> None:
    pq.write_table(table_of(list(range(50))), tmp_path / "t", row_group_size=7)
    content = (tmp_path / "t").read_bytes()
    reader = reading("parquet", SCHEMA)
    first = reader.open(content)
    found = [row for _ in range(3) for row in first.decode(first.take()).data.to_pylist()]
    position = first.position()
    first.close()
    again = reader.open(content, position=position)
    while (unit := again.take()) is not Signal.END:
        found += again.decode(unit).data.to_pylist()
    again.close()
    assert [row["n"] for row in found] == list(range(50))


@pytest.mark.parametrize(
    ("held", "type_", "wanted"),
    [
        (pa.array([1, 2], pa.int8()), BIGINT, [1, 2]),
        (pa.array([1, 2], pa.int64()), INT, [1, 2]),
        (pa.array([1, 2], pa.int64()), DOUBLE, [1.0, 2.0]),
        (pa.array(["a", "b"]).dictionary_encode(), STRING, ["a", "b"]),
        (pa.array(["a", None], pa.large_string()), STRING, ["a", None]),
        (pa.array([0, 1], pa.date32()), DATE, [datetime.date(1970, 1, 1), datetime.date(1970, 1, 2)]),
        (pa.array([-1, 1_999_999], pa.timestamp("ns")), TIMESTAMP, [
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999000), datetime.datetime(1970, 1, 1, 0, 0, 0, 1000),
        ]),
        (pa.array([None, 1999], pa.timestamp("us")), TimestampType(precision=3), [
            None, datetime.datetime(1970, 1, 1, 0, 0, 0, 1000),
        ]),
        (pa.array([1], pa.timestamp("s", "Europe/Berlin")), TIMESTAMP_LTZ, [
            datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.UTC),
        ]),
    ],
)  # fmt: skip
def test_values_take_the_tables_type(rows_in, held, type_, wanted) -> None:
    found = rows_in(pa.table({"v": held}), schema=Schema.of([Column("v", type_)]))
    assert [row["v"] for row in found] == wanted


@pytest.mark.parametrize(
    ("held", "type_", "code"),
    [
        (pa.array(["1"]), BIGINT, "FX-DAT-0011"),
        (pa.array([1.5]), INT, "FX-DAT-0011"),
        (pa.array([1]), STRING, "FX-DAT-0011"),
        (pa.array([2**40]), INT, "FX-DAT-0012"),
        (pa.array([2**60], pa.timestamp("us")), TimestampType(precision=9), "FX-DAT-0012"),
        (pa.array([None], pa.int64()), BIGINT.with_nullable(False), "FX-DAT-0013"),
    ],
)
def test_values_that_do_not_fit_are_errors(rows_in, held, type_, code) -> None:
    with pytest.raises(DataError) as caught:
        rows_in(pa.table({"v": held}), schema=Schema.of([Column("v", type_)]))
    assert caught.value.code == code
    assert caught.value.place is not None
    assert caught.value.place.field == "v"


def test_a_missing_column_is_named_with_its_nearest(rows_in) -> None:
    with pytest.raises(DataError, match="'price'") as caught:
        rows_in(pa.table({"prices": [1]}), schema=Schema.of([Column("price", BIGINT)]))
    assert "'prices'" in str(caught.value.hint)


def test_a_file_of_another_kind_is_an_error(reading, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        reading("parquet", SCHEMA).rows(b"n,s,t,d\n1,a,b,c\n" * 10)
    assert caught.value.code == "FX-DAT-0010"


def test_what_is_written_comes_back_under_the_tables_names(reading, tmp_path: Path) -> None:
    batch = table_of([1, None, 3]).to_batches()[0].rename_columns(["x", "y", "z", "w"])
    with (tmp_path / "out").open("wb") as file:
        writer = ParquetFormat().file_writer(file, SCHEMA, {"parquet.compression": "ZSTD"})
        writer.write(batch)
        writer.write(batch.slice(0, 0))
        writer.write(batch.slice(1))
        writer.close()
    metadata = pq.ParquetFile(tmp_path / "out").metadata
    assert (metadata.num_row_groups, metadata.row_group(0).column(0).compression) == (1, "ZSTD")
    found = reading("parquet", SCHEMA).rows((tmp_path / "out").read_bytes())
    rows = table_of([1, None, 3]).to_pylist()
    assert found == rows + rows[1:]
