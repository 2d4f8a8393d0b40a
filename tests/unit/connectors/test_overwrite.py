"""What INSERT OVERWRITE leaves of what was there: all or nothing, whatever fails on the way."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.connectors.test_partitions import MONDAY, ROWS, TUESDAY, batch, everything, fill, opened, read, table

from fluxcore.connectors.filesystem.staging import Staging
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


def published(folder: Path, killed_at: int) -> bool:
    """Put new files in the place of a table's in a process of its own, which is killed before a call of the system.

    Return whether it was killed.
    """
    child = os.fork()
    if child == 0:
        left = iter(range(killed_at, -1, -1))

        def counted(real: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                if next(left) == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **kwargs)

            return call

        for owner, name in (
            (Path, "rename"),
            (Path, "unlink"),
            (Path, "touch"),
            (os, "fsync"),
            (shutil, "rmtree"),
            (json, "dump"),
        ):
            setattr(owner, name, counted(getattr(owner, name)))
        staging = Staging(folder)
        staging.open()
        for directory in ("b=1", "b=3"):
            staging.make(directory)
            for name in ("part-x-0", "part-x-1"):
                staging.place(directory, name).write_text("9\n")
        staging.publish({"b=1", "b=2", "b=3"}, "_SUCCESS")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


OLD = [(1, 1), (1, 1), (1, 2), (1, 4)]
NEW = [(1, 4), (9, 1), (9, 1), (9, 3), (9, 3)]


@pytest.mark.parametrize("next_one", [read, lambda described: opened(described).close()], ids=["read", "write"])
def test_a_commit_that_is_killed_anywhere_is_finished_by_who_comes_next(tmp_path: Path, next_one: Any) -> None:
    seen = []
    killed = True
    while killed:
        folder = tmp_path / str(len(seen))
        for name in ("b=1/part-a", "b=1/part-b", "b=2/part-a", "b=4/part-a"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("1\n")
        killed = published(folder, len(seen))
        described = table(folder, schema=Schema.of([Column("a", BIGINT), Column("b", BIGINT)]), keys=(1,))
        next_one(described)
        files = [path for path in folder.rglob("*") if path.is_file()]
        rows = sorted(
            (int(p.read_text()), int(p.parent.name[2:]))
            for p in files
            if p.parent.parent == folder and p.stat().st_size
        )
        assert rows == sorted(read(described))
        marks = sum(path.name == "_SUCCESS" for path in files)
        seen.append((rows, marks))
    begun = seen.index((NEW, 3))
    assert seen == [(OLD, 0)] * begun + [(NEW, 3)] * (len(seen) - begun)
    assert begun == 1  # killed before anything is written down
    assert len(seen) - begun > 3 + 4 + 3  # files that go, files that come, marks


def test_steps_of_a_process_that_lives_are_left_to_it(tmp_path: Path) -> None:
    described = table(tmp_path, schema=PLAIN, keys=())
    fill(described, [(1, "old")])
    (name,) = everything(tmp_path)
    journal = tmp_path / ".staging-x" / "journal"
    journal.parent.mkdir()
    journal.write_text(json.dumps({"replaced": [name], "marks": []}))
    with journal.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert read(described) == [(1, "old")]
    assert read(described) == []


@pytest.mark.parametrize(
    "text", ['{"replaced": ["../outside"], "marks": []}', '{"replaced": [], "marks": ["/tmp/x"]}', "[]"]
)
def test_a_journal_reaches_nothing_outside_of_the_table(tmp_path: Path, text: str) -> None:
    described = table(tmp_path / "t", schema=PLAIN, keys=())
    fill(described, [(1, "old")])
    (tmp_path / "outside").write_text("mine")
    journal = tmp_path / "t" / ".staging-x" / "journal"
    journal.parent.mkdir()
    journal.write_text(text)
    for act in (lambda: read(described), lambda: opened(described)):
        with pytest.raises(JobError) as caught:
            act()
        assert caught.value.code == "FX-CON-0109"
    assert (tmp_path / "outside").read_text() == "mine"
    journal.write_text('{"repl')  # its writer was killed before anything was moved
    assert read(described) == [(1, "old")]


def test_files_that_can_not_be_put_back_are_kept_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = table(tmp_path, schema=PLAIN, keys=())
    fill(described, [(1, "old")])
    fill(described, [(2, "old")])
    made = opened(described, overwrite=True)
    made.write(batch(described, [(9, "new")]))
    real, calls = Path.rename, iter(range(100))

    def rename(self: Path, target: Path) -> Path:
        if next(calls) >= 1:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(JobError):
        made.commit()
    made.close()
    monkeypatch.undo()
    assert read(described) == [(9, "new")]
