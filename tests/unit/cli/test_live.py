import numpy as np
import pyarrow as pa
import pytest

from fluxcore.cli import live
from fluxcore.cli.live import LiveRows
from fluxcore.core.batch import Batch
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, STRING
from fluxcore.errors import JobError

SCHEMA = Schema.of((Column("word", STRING), Column("n", BIGINT)))


def changes(*rows):
    """Rows of (weight, word, n)."""
    words, numbers = [row[1] for row in rows], [row[2] for row in rows]
    data = pa.RecordBatch.from_arrays([pa.array(words, pa.string()), pa.array(numbers, pa.int64())], ["word", "n"])
    return Batch(data, np.array([row[0] for row in rows], np.int8))


def test_an_updated_row_stays_in_its_place() -> None:
    rows = LiveRows(SCHEMA)
    rows.write(changes((1, "a", 1), (1, "b", 1), (1, "c", 1)))
    rows.write(changes((-1, "b", 1), (1, "b", 2)))
    assert rows.newest(10) == ([("a", "1"), ("b", "2"), ("c", "1")], 3)
    rows.write(changes((-1, "a", 1)))
    rows.write(changes((1, "d", None)))
    assert rows.newest(10) == ([("b", "2"), ("c", "1"), ("d", "NULL")], 3)
    assert rows.newest(1) == ([("d", "NULL")], 3)


def test_equal_rows_are_taken_back_one_by_one() -> None:
    rows = LiveRows(SCHEMA)
    rows.write(changes((1, "a", 1), (1, "a", 1)))
    rows.write(changes((-1, "a", 1)))
    assert rows.newest(10) == ([("a", "1")], 1)


def test_of_rows_that_are_only_added_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LIVE_ROWS_MAX", 3)
    rows = LiveRows(SCHEMA)
    for number in range(5):
        rows.write(changes((1, "a", number), (1, "same", 0)))
    assert rows.newest(10) == ([("same", "0"), ("a", "4"), ("same", "0")], 3)


def test_a_result_that_grows_and_changes_ends_with_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LIVE_ROWS_MAX", 3)
    rows = LiveRows(SCHEMA)
    rows.write(changes((1, "a", 0), (1, "b", 0), (-1, "b", 0)))
    with pytest.raises(JobError, match="too many") as caught:
        rows.write(changes((1, "b", 0), (1, "c", 0), (1, "d", 0)))
    assert caught.value.code == "FX-CLI-0010"
