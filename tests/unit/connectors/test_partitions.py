"""Tables with partitions: names of folders, what is read of them, what a sink leaves in them, and what is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fluxcore.connectors.filesystem import FilesystemConnector, sink
from fluxcore.connectors.filesystem.partition_names import escaped, texts_of, unescaped, value_of
from fluxcore.core.batch import Batch
from fluxcore.core.ports import Pushdown, ScanRequest, Signal, Sink, SinkRequest, TableDescription
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    STRING,
    DataType,
    DecimalType,
    FloatType,
    IntegerType,
    TimestampType,
    TimeType,
)
from fluxcore.errors import FluxError, JobError, ScriptError

CONNECTOR = FilesystemConnector()
SCHEMA = Schema.of([Column("day", DATE), Column("a", BIGINT), Column("city", STRING), Column("b", STRING)])
MONDAY, TUESDAY = dt.date(2024, 1, 1), dt.date(2024, 1, 2)
ROWS = [(MONDAY, 1, "Rome", "one"), (TUESDAY, 2, "Rome", "two"), (MONDAY, 3, None, "three"), (MONDAY, 4, "Rome", None)]
FORMATS = ("csv", "json", "parquet")


def table(path: Path, format_: str = "csv", schema: Schema = SCHEMA, keys: tuple[int, ...] = (0, 2), **options: str):
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in options.items()}
    given = {"connector": "filesystem", "path": str(path), "format": format_, "csv.null-literal": "-", **named}
    if format_ != "csv":
        del given["csv.null-literal"]
    return TableDescription("t", schema, given, partitioned_by=keys)


def batch(described: TableDescription, rows: list[tuple[Any, ...]]) -> Batch:
    columns = [list(values) for values in zip(*rows, strict=True)] if rows else [[] for _ in described.schema]
    schema = described.schema.arrow()
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return Batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def opened(described: TableDescription, **more: Any) -> Sink:
    made = CONNECTOR.sink(SinkRequest(described, described.schema, **more))
    made.open()
    return made


def fill(described: TableDescription, rows: list[tuple[Any, ...]], **more: Any) -> None:
    made = opened(described, **more)
    if rows:
        made.write(batch(described, rows))
    made.commit()
    made.close()


def read(described: TableDescription, columns: tuple[int, ...] | None = None, **more: Any) -> list[tuple[Any, ...]]:
    wanted = tuple(range(len(described.schema))) if columns is None else columns
    found = []
    for split in CONNECTOR.source(ScanRequest(described, wanted, **more)).splits():
        reader = split.open()
        try:
            while (unit := reader.take()) is not Signal.END:
                data = reader.decode(unit).data
                assert data.schema == described.schema.select(wanted).arrow()
                found += [tuple(row.values()) for row in data.to_pylist()]
        finally:
            reader.close()
    return found


def folders(path: Path) -> list[str]:
    """Return the folders that hold files which are not hidden."""
    files = [each.relative_to(path) for each in path.rglob("*") if each.is_file()]
    return sorted({str(each.parent) for each in files if not any(part.startswith((".", "_")) for part in each.parts)})


def everything(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*"))


# names: Hive's FileUtils.escapePathName and Java's toString give these


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("plain-1_2.x y,z", "plain-1_2.x y,z"),
        ("12:30/45", "12%3A30%2F45"),
        ("100%", "100%25"),
        ("a=b\n\t\x7f", "a%3Db%0A%09%7F"),
        ("'\"#*?\\[]{^", "%27%22%23%2A%3F%5C%5B%5D%7B%5E"),
        ("|<>~é字}", "|<>~é字%7D"),
        ("\x00", "%00"),
    ],
)
def test_names_are_escaped_as_hive_does(text: str, name: str) -> None:
    assert escaped(text) == name
    assert unescaped(name) == text


def test_what_is_no_escape_stays() -> None:
    assert unescaped("50%_a%zz%4%41") == "50%_a%zz%4A"


MOMENTS = TimestampType(precision=9)
VALUES: list[tuple[DataType, Any, str]] = [
    (STRING, "x", "x"),
    (BOOLEAN, True, "true"),
    (IntegerType(bits=8), -5, "-5"),
    (BIGINT, 2**62, str(2**62)),
    (DOUBLE, 1e10, "1.0E10"),
    (FloatType(bits=32), 0.5, "0.5"),
    (DecimalType(precision=6, scale=2), Decimal("1.50"), "1.50"),
    (DATE, MONDAY, "2024-01-01"),
    (TimestampType(precision=3), dt.datetime(2024, 1, 1, 10), "2024-01-01T10:00"),
    (TimestampType(precision=0), dt.datetime(2024, 1, 1, 10, 0, 7), "2024-01-01T10:00:07"),
    (TimestampType(precision=3), dt.datetime(1960, 1, 1, 0, 0, 0, 120_000), "1960-01-01T00:00:00.120"),
    (TimestampType(precision=6), dt.datetime(2024, 1, 1, 0, 0, 0, 1), "2024-01-01T00:00:00.000001"),
]


@pytest.mark.parametrize(("type_", "value", "text"), VALUES)
def test_values_have_the_text_that_java_writes_and_come_back(type_: DataType, value: Any, text: str) -> None:
    assert texts_of(pa.array([value, None], type_.arrow()), type_) == [text, None]
    assert value_of(text, type_).as_py() == value
    assert value_of(text, type_).type == type_.arrow()
    assert value_of(None, type_).as_py() is None


def test_nanoseconds_have_a_text() -> None:
    assert texts_of(pa.array([1_000_000_001], pa.timestamp("ns")), MOMENTS) == ["1970-01-01T00:00:01.000000001"]


@pytest.mark.parametrize("format_", FORMATS)
def test_rows_come_back_with_columns_from_the_path_where_they_stand_in_the_schema(tmp_path: Path, format_: str) -> None:
    described = table(tmp_path, format_)
    CONNECTOR.validate(described)
    fill(described, ROWS)
    assert folders(tmp_path) == [
        "day=2024-01-01/city=Rome",
        "day=2024-01-01/city=__DEFAULT_PARTITION__",
        "day=2024-01-02/city=Rome",
    ]
    assert sorted(read(described), key=str) == sorted(ROWS, key=str)
    assert sorted(read(described, (3, 0)), key=str) == sorted([(row[3], row[0]) for row in ROWS], key=str)
    assert sorted(read(described, (1,))) == [(1,), (2,), (3,), (4,)]
    assert sorted(read(described, (2,)), key=str) == [("Rome",), ("Rome",), ("Rome",), (None,)]
    assert [tuple(name for _, name in each) for each in CONNECTOR.partitions(described)] == [
        ("2024-01-01", "Rome"),
        ("2024-01-01", "__DEFAULT_PARTITION__"),
        ("2024-01-02", "Rome"),
    ]


def test_files_hold_no_columns_of_the_partition(tmp_path: Path) -> None:
    fill(table(tmp_path, "parquet"), ROWS)
    assert {tuple(pq.read_schema(path).names) for path in tmp_path.rglob("part-*")} == {("a", "b")}


@pytest.mark.parametrize("format_", FORMATS)
def test_predicates_over_both_kinds_of_columns_are_applied(tmp_path: Path, format_: str) -> None:
    described = table(tmp_path, format_)
    fill(described, ROWS)
    both = Pushdown(
        lambda data: pc.and_kleene(pc.equal(data.column(1), "Rome"), pc.greater(data.column(0), 1)), columns=(0, 1)
    )
    assert sorted(read(described, (1, 2, 3), pushdown=both), key=str) == [(2, "Rome", "two"), (4, "Rome", None)]
    one = Pushdown(lambda data: pc.is_null(data.column(0)), columns=(0,))
    assert read(described, (2, 3), pushdown=one) == [(None, "three")]


@pytest.mark.parametrize("format_", FORMATS)
def test_files_of_partitions_that_are_not_chosen_are_never_opened(tmp_path: Path, format_: str) -> None:
    described = table(tmp_path, format_)
    fill(described, ROWS)
    for path in (tmp_path / "day=2024-01-02").rglob("part-*"):
        path.unlink()
        path.symlink_to(tmp_path / "nowhere")

    def monday(keys: pa.RecordBatch) -> pa.BooleanArray:
        assert keys.schema == described.schema.select((0, 2)).arrow()
        return pc.equal(keys.column(0), MONDAY)

    source = CONNECTOR.source(ScanRequest(described, (1,), partitions=monday))
    assert len(source.splits()) == 2
    assert source.size() is not None
    assert sorted(read(described, (1,), partitions=monday)) == [(1,), (3,), (4,)]
    with pytest.raises(FluxError, match="nowhere|part-"):
        read(described)


def test_metadata_and_partitions_stand_side_by_side(tmp_path: Path) -> None:
    schema = Schema.of([Column("file", STRING), Column("n", INT), Column("a", BIGINT)])
    (tmp_path / "n=7").mkdir()
    (tmp_path / "n=7" / "x.csv").write_text("1\n2\n")
    options = {"connector": "filesystem", "path": str(tmp_path), "format": "csv"}
    described = TableDescription("t", schema, options, partitioned_by=(1,), metadata={0: "file.name"})
    CONNECTOR.validate(described)
    found = []
    for split in CONNECTOR.source(ScanRequest(described, (2, 1, 0))).splits():
        reader = split.open()
        found += reader.decode(reader.take()).data.to_pylist()
        reader.close()
    assert [tuple(row.values()) for row in found] == [(1, 7, "x.csv"), (2, 7, "x.csv")]


def test_what_hive_writes_for_null_is_null_unless_the_table_names_it_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "day=19723" / "city=__HIVE_DEFAULT_PARTITION__"
    folder.mkdir(parents=True)
    (folder / "x").write_text("1,x\n")
    assert read(table(tmp_path)) == [(MONDAY, 1, None, "x")]
    assert read(table(tmp_path, partition__default_name="none")) == [(MONDAY, 1, "__HIVE_DEFAULT_PARTITION__", "x")]


def test_another_name_may_stand_for_null_and_an_empty_text_is_null(tmp_path: Path) -> None:
    described = table(tmp_path, partition__default_name="no:ne")
    fill(described, [(None, 1, "", "x")])
    assert folders(tmp_path) == ["day=no%3Ane/city=no%3Ane"]
    assert read(described) == [(None, 1, None, "x")]


def test_a_folder_that_is_not_there_has_no_partitions_but_a_pattern_must_match(tmp_path: Path) -> None:
    assert read(table(tmp_path / "later")) == []
    assert CONNECTOR.partitions(table(tmp_path / "later")) == []
    with pytest.raises(JobError) as caught:
        read(table(tmp_path / "l*r"))
    assert caught.value.code == "FX-CON-0101"


@pytest.mark.parametrize(
    ("path", "code", "match"),
    [
        ("x.csv", "FX-CON-0106", "the file '.*x.csv' is no partition: folders 'day=…' are expected"),
        ("plain/x.csv", "FX-CON-0106", "the folder '.*plain' is no partition"),
        ("city=Rome/day=2024-01-01/x.csv", "FX-CON-0106", "folders 'day=…' are expected"),
        ("day=2024-01-01/x.csv", "FX-CON-0106", "folders 'city=…' are expected"),
        ("day=/city=x/x.csv", "FX-CON-0106", "is no partition"),
        ("day=Monday/city=x/x.csv", "FX-CON-0107", "'Monday' is no value of the column of the partition: not a DATE"),
        ("day=2024-02-30/city=x/x.csv", "FX-CON-0107", "2024-02-30"),
        ("day=99999999999/city=x/x.csv", "FX-CON-0107", "99999999999"),
    ],
)
def test_what_is_no_partition_is_named(tmp_path: Path, path: str, code: str, match: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("1,x\n")
    with pytest.raises(JobError, match=match) as caught:
        read(table(tmp_path))
    assert caught.value.code == code
    if code == "FX-CON-0107":
        assert caught.value.place is not None
        assert caught.value.place.field == "day"


def test_hidden_names_are_left_out_on_every_level(tmp_path: Path) -> None:
    described = table(tmp_path)
    fill(described, ROWS[:1])
    for name in ("_SUCCESS", ".x", "day=2024-01-01/_SUCCESS", "day=2024-01-01/city=Rome/_SUCCESS"):
        (tmp_path / name).write_text("no row\n")
    (tmp_path / "_old" / "x").mkdir(parents=True)
    assert read(described) == ROWS[:1]


def test_a_file_instead_of_the_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("1\n")
    with pytest.raises(JobError) as caught:
        read(table(tmp_path / "t"))
    assert caught.value.code == "FX-CON-0103"


def test_null_is_no_partition_of_a_column_that_is_not_null(tmp_path: Path) -> None:
    schema = Schema.of([Column("n", STRING.with_nullable(False)), Column("a", BIGINT)])
    described = table(tmp_path, schema=schema, keys=(0,))
    made = opened(described)
    with pytest.raises(JobError) as caught:
        made.write(batch(described, [("", 1)]))
    assert caught.value.code == "FX-CON-0108"
    made.abort()
    (tmp_path / "n=__DEFAULT_PARTITION__").mkdir(parents=True)
    with pytest.raises(JobError) as caught:
        read(described)
    assert caught.value.code == "FX-CON-0107"


@pytest.mark.parametrize(
    ("schema", "keys", "match"),
    [
        ([("a", INT), ("t", TimeType(precision=0))], (1,), "names no folder"),
        ([("a", INT), ("t", TimestampType(precision=3, local=True))], (1,), "names no folder"),
        ([("a", INT), ("_t", INT)], (1,), "is hidden"),
        ([("a", INT), (".t", INT)], (1,), "is hidden"),
        ([("a", INT), ("b", INT)], (0, 1), "none is left for the files"),
    ],
)
def test_columns_that_can_not_name_folders_are_refused(tmp_path: Path, schema: Any, keys: Any, match: str) -> None:
    described = table(tmp_path, schema=Schema.of(Column(*each) for each in schema), keys=keys)
    with pytest.raises(ScriptError, match=match) as caught:
        CONNECTOR.validate(described)
    assert caught.value.code == "FX-CON-0105"


def test_options_of_partitions_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="can't be empty"):
        CONNECTOR.validate(table(tmp_path, partition__default_name=""))
    for mark in ("../done", "/tmp/done", "..", ""):
        described = table(tmp_path, sink__partition_commit__success_file__name=mark)
        with pytest.raises(ScriptError, match="must be the name of a file"):
            CONNECTOR.validate(described)
    with pytest.raises(ScriptError, match="can't be metadata|is metadata"):
        options = table(tmp_path).options
        CONNECTOR.validate(TableDescription("t", SCHEMA, options, partitioned_by=(2,), metadata={2: "file.name"}))


def test_a_name_that_is_too_long_is_an_error_and_nothing_stays(tmp_path: Path) -> None:
    made = opened(table(tmp_path / "t"))
    with pytest.raises(JobError, match="name too long") as caught:
        made.write(batch(table(tmp_path), [ROWS[0], (MONDAY, 9, "x" * 300, "y")]))
    assert caught.value.code == "FX-CON-0104"
    made.abort()
    made.close()
    assert everything(tmp_path) == []


def test_many_partitions_are_written_with_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "OPEN_FILES_MAX", 3)
    monkeypatch.setattr(sink, "ROWS_WRITTEN_BYTES_MIN", 1)
    described = table(tmp_path, schema=Schema.of([Column("n", INT), Column("a", BIGINT)]), keys=(0,))
    made = opened(described)
    for start in range(0, 100, 10):
        made.write(batch(described, [(n % 7, n) for n in range(start, start + 10)]))
    made.commit()
    made.close()
    assert sorted(read(described)) == sorted((n % 7, n) for n in range(100))
    assert len(folders(tmp_path)) == 7


def test_rows_that_wait_in_many_parquet_files_are_written_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "ROWS_GATHERED_BYTES_MAX", 400)
    monkeypatch.setattr(sink, "ROWS_WRITTEN_BYTES_MIN", 1)
    described = table(tmp_path, "parquet", Schema.of([Column("n", INT), Column("a", BIGINT)]), (0,))
    made = opened(described)
    for start in range(0, 100, 20):
        made.write(batch(described, [(n % 2, n) for n in range(start, start + 20)]))
    made.commit()
    made.close()
    assert sorted(read(described)) == sorted((n % 2, n) for n in range(100))
    groups = [pq.ParquetFile(path).metadata.num_row_groups for path in tmp_path.rglob("part-*")]
    assert len(groups) == 2
    assert min(groups) > 1


def test_rows_of_many_partitions_wait_and_are_written_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "ROWS_GATHERED_BYTES_MAX", 400)
    described = table(tmp_path, schema=Schema.of([Column("n", INT), Column("a", BIGINT)]), keys=(0,))
    made = opened(described)
    waiting = []
    for start in range(0, 200, 20):
        made.write(batch(described, [(n % 2, n) for n in range(start, start + 20)]))
        waiting.append(made._waiting_bytes)
    assert max(waiting) <= 200
    assert sum(path.stat().st_size for path in tmp_path.rglob("part-*")) == 0, "still in the buffers of the files"
    made.write(batch(described, [(1, 1000)]))
    made.commit()
    made.close()
    assert sorted(read(described)) == sorted([*((n % 2, n) for n in range(200)), (1, 1000)])
    assert [a for n, a in read(described) if n == 1] == [*range(1, 200, 2), 1000]
    assert len(list(tmp_path.rglob("part-*"))) == 2


def test_rows_of_a_partition_keep_their_order(tmp_path: Path) -> None:
    described = table(tmp_path, schema=Schema.of([Column("n", INT), Column("a", BIGINT)]), keys=(0,))
    fill(described, [(n * 7 % 3, n) for n in range(1000)])
    for n, rows in ((n, [a for m, a in read(described) if m == n]) for n in range(3)):
        assert rows == sorted(rows), n
