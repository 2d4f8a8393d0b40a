"""The filesystem connector: which files are read, and what a sink leaves behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fluxcore.connectors.filesystem import FilesystemConnector
from fluxcore.core import registry
from fluxcore.core.batch import Batch
from fluxcore.core.ports import Pushdown, ScanRequest, Signal, Sink, SinkRequest, TableDescription
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, INT, STRING, TIMESTAMP_LTZ, MapType
from fluxcore.errors import DataError, JobError, ScriptError

CONNECTOR = FilesystemConnector()
SCHEMA = Schema.of([Column("a", BIGINT), Column("b", STRING)])
BATCH = Batch(pa.RecordBatch.from_pydict({"x": [1, 2], "y": ["one", None]}, schema=None))


def table(path: Path | str, format_: str = "csv", schema: Schema = SCHEMA, **options: str) -> TableDescription:
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in options.items()}
    given = {"connector": "filesystem", "path": str(path), "format": format_, **named}
    return TableDescription("t", schema, given)


def rows(description: TableDescription, columns: tuple[int, ...] = (0, 1), **more: Any) -> list[tuple[Any, ...]]:
    source = CONNECTOR.source(ScanRequest(description, columns, **more))
    found = []
    for split in source.splits():
        reader = split.open()
        try:
            while (unit := reader.take()) is not Signal.END:
                found += [tuple(row.values()) for row in reader.decode(unit).data.to_pylist()]
        finally:
            reader.close()
    return found


def sink(description: TableDescription) -> Sink:
    made = CONNECTOR.sink(SinkRequest(description, description.schema))
    made.open()
    return made


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_registry_knows_it() -> None:
    assert isinstance(registry.connector("filesystem"), FilesystemConnector)


def test_files_of_a_folder_are_splits_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".git").mkdir()
    for name, number in (("b", 2), ("a", 1), ("deep/c", 3), ("_SUCCESS", 9), (".hidden", 9), (".git/x", 9)):
        (tmp_path / name).write_text(f"{number},{name}\n")
    source = CONNECTOR.source(ScanRequest(table(tmp_path), (0, 1)))
    assert source.bounded
    assert [Path(split.name).name for split in source.splits()] == ["a", "b", "c"]
    assert [row[0] for row in rows(table(tmp_path))] == [1, 2, 3]
    assert [row[0] for row in rows(table(tmp_path / "b"))] == [2]
    assert [row[0] for row in rows(table((tmp_path / "b").as_uri()))] == [2]
    assert [row[0] for row in rows(table(tmp_path / "*"))] == [1, 2, 3]
    assert [row[0] for row in rows(table(tmp_path / "[ab]"))] == [1, 2]


def test_empty_files_and_folders_have_no_rows(tmp_path: Path) -> None:
    assert rows(table(tmp_path)) == []
    (tmp_path / "empty").touch()
    for options in ({}, {"csv__header": "true"}):
        assert rows(table(tmp_path, **options)) == []
    assert rows(table(tmp_path, "json")) == []


def test_a_missing_path_is_named_with_its_nearest(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").touch()
    source = CONNECTOR.source(ScanRequest(table(tmp_path / "order.csv"), (0,)))
    with pytest.raises(JobError) as caught:
        source.splits()
    assert caught.value.code == "FX-CON-0101"
    assert "order.csv" in caught.value.message
    assert "orders.csv" in str(caught.value.hint)
    with pytest.raises(JobError, match="no file or folder"):
        rows(table(tmp_path / "no" / "such" / "x.csv"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,x\n")
    (tmp_path / "a.csv").chmod(0)
    with pytest.raises(JobError) as caught:
        rows(table(tmp_path / "a.csv"))
    assert caught.value.code == "FX-CON-0102"


def test_a_file_that_vanishes_before_it_is_opened_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,x\n")
    for format_ in ("csv", "parquet"):
        (tmp_path / "a.csv").write_text("1,x\n")
        (split,) = CONNECTOR.source(ScanRequest(table(tmp_path, format_), (0,))).splits()
        (tmp_path / "a.csv").unlink()
        with pytest.raises(JobError) as caught:
            split.open()
        assert caught.value.code == "FX-CON-0102"


def test_bad_rows_are_counted_over_all_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1,x\nbad,y\n")
    (tmp_path / "b").write_text("worse\n2,z\n")
    source = CONNECTOR.source(ScanRequest(table(tmp_path, row_policy="skip"), (0, 1)))
    found = []
    for split in source.splits():
        reader = split.open()
        while (unit := reader.take()) is not Signal.END:
            found += reader.decode(unit).data.column(0).to_pylist()
        reader.close()
    assert found == [1, 2]
    assert source.statistics() == {"skipped_rows": 2, "dead_letter_rows": 0}
    with pytest.raises(DataError) as caught:
        rows(table(tmp_path))
    assert caught.value.place is not None
    assert str(caught.value.place.file).endswith("/a")


def test_metadata_columns_say_where_a_row_comes_from(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1,x\n")
    (tmp_path / "b").write_text("2,y\n3,z\n")
    schema = Schema.of([Column("name", STRING), *SCHEMA, Column("size", BIGINT), Column("time", TIMESTAMP_LTZ)])
    described = TableDescription(
        "t",
        schema,
        table(tmp_path).options,
        metadata={0: "file.name", 3: "file.size", 4: "file.modification-time"},
    )
    CONNECTOR.validate(described)
    assert rows(described, (3, 2, 0)) == [(4, "x", "a"), (8, "y", "b"), (8, "z", "b")]
    assert rows(described, (0,)) == [("a",), ("b",), ("b",)]
    pushdown = Pushdown(lambda batch: pc.equal(batch.column(0), "b"), columns=(0,))
    assert rows(described, (0, 1), pushdown=pushdown) == [("b", 2), ("b", 3)]
    assert rows(described, (4,))[0][0].timestamp() == pytest.approx((tmp_path / "a").stat().st_mtime, abs=0.001)


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_rows_appear_with_the_commit_and_come_back(tmp_path: Path, format_: str) -> None:
    described = table(tmp_path / "new" / "out", format_, csv__null_literal="-")
    made = sink(described)
    made.write(BATCH)
    made.write(Batch(BATCH.data.slice(0, 0)))
    assert rows(described) == []
    made.commit()
    made.close()
    (name,) = files(tmp_path / "new" / "out")
    assert name.startswith("part-")
    assert rows(described) == [(1, "one"), (2, None)]
    again = sink(described)
    again.write(BATCH)
    again.commit()
    again.close()
    assert len(rows(described)) == 4


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_an_abort_leaves_nothing(tmp_path: Path, format_: str) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "kept").write_text("1,x\n")
    for folder in ("new", "old"):
        made = sink(table(tmp_path / folder, format_, sink__rolling_policy__file_size="1b"))
        made.write(BATCH)
        made.write(BATCH)
        made.abort()
        made.close()
    assert files(tmp_path) == ["old/kept"]
    assert not (tmp_path / "new").exists()


def test_a_sink_closed_without_a_commit_leaves_nothing(tmp_path: Path) -> None:
    made = sink(table(tmp_path / "out"))
    made.write(BATCH)
    made.close()
    assert files(tmp_path) == []


def test_a_sink_without_rows_writes_no_file(tmp_path: Path) -> None:
    made = sink(table(tmp_path / "out"))
    made.commit()
    made.close()
    assert (tmp_path / "out").is_dir()
    assert files(tmp_path / "out") == []


def test_files_are_rolled_by_size_each_with_its_header(tmp_path: Path) -> None:
    described = table(tmp_path / "out", csv__header="true", sink__rolling_policy__file_size="1 kb")
    made = sink(described)
    large = Batch(pa.RecordBatch.from_pydict({"x": [7], "y": ["z" * 2000]}))
    for _ in range(3):
        made.write(large)
    made.commit()
    made.close()
    assert len(files(tmp_path / "out")) == 3
    assert rows(described) == [(7, "z" * 2000)] * 3


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(JobError) as caught:
        sink(table(tmp_path / "out"))
    assert caught.value.code == "FX-CON-0103"


def test_a_full_disk_is_an_error() -> None:
    from fluxcore.connectors.filesystem.paths import cannot

    error = cannot("write", "/data", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert error.code == "FX-CON-0104"
    assert "No space left" in error.message


def test_a_device_that_is_full_fails_the_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def full(self: Path, *arguments: Any, **more: Any) -> Any:
        return real(Path("/dev/full") if self.name.startswith("part-") else self, *arguments, **more)

    monkeypatch.setattr(Path, "open", full)
    made = sink(table(tmp_path / "out"))
    with pytest.raises(JobError) as caught:
        for _ in range(2000):
            made.write(Batch(pa.RecordBatch.from_pydict({"x": [1], "y": ["z" * 2000]})))
    assert caught.value.code == "FX-CON-0104"
    made.abort()
    made.close()


WRONG: list[tuple[Mapping[str, str], str]] = [
    ({"source.monitor-interval": "1s"}, "FX-SQL-0900"),
    ({"sink.rolling-policy.rollover-interval": "1min"}, "FX-SQL-0900"),
    ({"sink.rolling-policy.file-size": "huge"}, "FX-CON-0003"),
    ({"path": "s3://bucket/x"}, "FX-SQL-0900"),
    ({"format": "cvs"}, "FX-CON-0001"),
    ({"row-policy": "dead-letter"}, "FX-DAT-0003"),
    ({"row-policy": "shrug"}, "FX-DAT-0003"),
    ({"dead-letter.path": "x"}, "FX-DAT-0003"),
    ({"csv.field-delimiter": ";;"}, "FX-FMT-0001"),
    ({"csv.quote-character": ","}, "FX-FMT-0001"),
    ({"csv.disable-quote-character": "true", "csv.quote-character": "'"}, "FX-FMT-0001"),
    ({"csv.header": "true", "csv.ignore-first-line": "true"}, "FX-FMT-0001"),
]


@pytest.mark.parametrize(("options", "code"), WRONG)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: Mapping[str, str], code: str) -> None:
    described = TableDescription("t", SCHEMA, {**table(tmp_path).options, **options})
    with pytest.raises(ScriptError) as caught:
        CONNECTOR.options_for(described.options)
        CONNECTOR.validate(described)
    assert caught.value.code == code


def test_types_that_a_format_can_not_hold_are_refused(tmp_path: Path) -> None:
    maps = Schema.of([Column("m", MapType(key=STRING, value=INT)), Column("k", MapType(key=INT, value=INT))])
    for format_, column in (("csv", "'m'"), ("json", "'k'")):
        with pytest.raises(ScriptError, match=column) as caught:
            CONNECTOR.validate(table(tmp_path, format_, maps))
        assert caught.value.code == "FX-FMT-0002"


def test_unknown_metadata_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="no metadata 'offset'"):
        CONNECTOR.validate(TableDescription("t", SCHEMA, table(tmp_path).options, metadata={0: "offset"}))


def test_options_of_the_format_are_among_the_options() -> None:
    names = {option.name for option in CONNECTOR.options_for({"format": "csv"})}
    assert {"path", "row-policy", "csv.header"} <= names
    assert "json.fail-on-missing-field" not in names
