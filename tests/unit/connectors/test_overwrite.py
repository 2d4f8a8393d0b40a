"""What INSERT OVERWRITE leaves of what was there: all or nothing, whatever fails on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.connectors.test_partitions import MONDAY, ROWS, TUESDAY, batch, everything, fill, opened, read, table

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, STRING
from fluxcore.errors import JobError

FIXED = {0: pa.scalar(MONDAY, pa.date32()), 2: pa.scalar("Rome")}
PLAIN = Schema.of([Column("a", BIGINT), Column("b", STRING)])


def test_a_table_is_replaced_also_by_no_rows(tmp_path: Path) -> None:
    described = table(tmp_path, schema=PLAIN, keys=())
    fill(described, [(1, "old"), (2, "old")])
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x").write_text("3,older\n")
    (tmp_path / "_kept").touch()
    fill(described, [(9, "new")], overwrite=True)
    assert read(described) == [(9, "new")]
    fill(described, [], overwrite=True)
    assert everything(tmp_path) == ["_kept"]


def test_only_partitions_with_new_rows_are_replaced(tmp_path: Path) -> None:
    described = table(tmp_path)
    fill(described, ROWS)
    fill(described, [(TUESDAY, 9, "Rome", "new"), (TUESDAY, 8, "Oslo", "new")], overwrite=True)
    kept = [row for row in ROWS if row[0] == MONDAY]
    assert sorted(read(described), key=str) == sorted(
        [*kept, (TUESDAY, 9, "Rome", "new"), (TUESDAY, 8, "Oslo", "new")], key=str
    )
    fill(described, [], overwrite=True)
    assert len(read(described)) == 5


def test_a_partition_that_is_named_whole_is_replaced_also_by_no_rows(tmp_path: Path) -> None:
    described = table(tmp_path)
    fill(described, ROWS)
    fill(described, [], overwrite=True, fixed={0: FIXED[0]})
    assert sorted(read(described), key=str) == sorted(ROWS, key=str)
    fill(described, [], overwrite=True, fixed=FIXED)
    assert sorted(row[1] for row in read(described)) == [2, 3]
    fill(described, [], fixed=FIXED)
    assert sorted(row[1] for row in read(described)) == [2, 3]


@pytest.mark.parametrize("keys", [(), (0, 2)])
def test_rows_that_are_not_committed_replace_nothing(tmp_path: Path, keys: Any) -> None:
    described = table(tmp_path, keys=keys)
    fill(described, ROWS)
    before = everything(tmp_path)
    for end in ("abort", "close"):
        made = opened(described, overwrite=True)
        made.write(batch(described, ROWS[:1]))
        assert sorted(read(described), key=str) == sorted(ROWS, key=str)
        getattr(made, end)()
        made.close()
        assert everything(tmp_path) == before


@pytest.mark.parametrize("keys", [(), (0, 2)])
@pytest.mark.parametrize("failing", range(6))
def test_a_commit_that_fails_anywhere_leaves_the_table_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Any, failing: int
) -> None:
    described = table(tmp_path, keys=keys, sink__rolling_policy__file_size="1b")
    for row in ROWS:
        fill(described, [row])
    before = everything(tmp_path)
    made = opened(described, overwrite=True)
    for row in (*ROWS, (TUESDAY, 7, "Bern", "seven")):
        made.write(batch(described, [row]))
    real, calls = Path.rename, iter(range(100))

    def rename(self: Path, target: Path) -> Path:
        if next(calls) == failing:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(JobError) as caught:
        made.commit()
    assert caught.value.code == "FX-CON-0104"
    made.close()
    assert everything(tmp_path) == before
    assert sorted(read(described), key=str) == sorted(ROWS, key=str)


def test_what_a_killed_process_left_is_never_read(tmp_path: Path) -> None:
    described = table(tmp_path)
    fill(described, ROWS)
    made = opened(described, overwrite=True)
    made.write(batch(described, [(TUESDAY, 9, "Rome", "new")]))
    assert any(name.startswith(".staging-") for name in everything(tmp_path))
    assert sorted(read(described), key=str) == sorted(ROWS, key=str)
    made.abort()


def test_a_file_in_the_place_of_a_partition_fails_the_commit_and_changes_nothing(tmp_path: Path) -> None:
    described = table(tmp_path)
    (tmp_path / "day=2024-01-02").write_text("no folder")
    made = opened(described)
    made.write(batch(described, ROWS))
    with pytest.raises(JobError) as caught:
        made.commit()
    assert caught.value.code == "FX-CON-0103"
    made.close()
    assert everything(tmp_path) == ["day=2024-01-02"]


@pytest.mark.parametrize("keys", [(), (0, 2)])
def test_a_mark_says_that_a_partition_is_whole(tmp_path: Path, keys: Any) -> None:
    options = {"sink__partition_commit__policy__kind": "success-file"}
    described = table(tmp_path, keys=keys, **options)
    fill(described, ROWS)
    where = {path.parent for path in tmp_path.rglob("part-*")}
    assert {path.parent for path in tmp_path.rglob("_SUCCESS")} == where
    assert len(where) == (3 if keys else 1)
    assert sorted(read(described), key=str) == sorted(ROWS, key=str)
    named = table(tmp_path / "named", keys=keys, **options, sink__partition_commit__success_file__name="_DONE")
    fill(named, ROWS)
    assert len(list((tmp_path / "named").rglob("_DONE"))) == len(where)
