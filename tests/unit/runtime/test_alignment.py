"""Splits that are ahead of their group wait for the others, over all sources of a job."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.batch import Batch, Steps
from fluxcore.core.ports import Signal, Source, Split, SplitReader
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.runtime.alignment import Alignment, AlignmentGroup
from fluxcore.runtime.job import Job, Parts
from fluxcore.runtime.nodes import MapNode, Receiver
from fluxcore.runtime.source_stage import SourceStage


class Blocks(Split, SplitReader):
    """Gives blocks of times; a row says which split it is of."""

    def __init__(self, number, blocks):
        self.number, self.blocks, self.next = number, blocks, 0

    @property
    def name(self):
        return str(self.number)

    def open(self, position=None):
        return self

    def take(self):
        self.next += 1
        return self.next - 1 if self.next <= len(self.blocks) else Signal.END

    def decode(self, unit):
        times = pa.array(self.blocks[unit], pa.int64())
        return Batch(pa.RecordBatch.from_arrays([times, pa.array([self.number] * len(times))], ["t", "split"]))


class Listed(Source):
    def __init__(self, splits):
        self._splits = splits

    def splits(self):
        return self._splits


class Noted(Receiver):
    """Notes the blocks of all sources in one list, in the order in which they come."""

    lock = threading.Lock()

    def __init__(self, notes):
        self.notes = notes

    def connect(self, port=0):
        return 0

    def push(self, source, batch):
        with self.lock:
            self.notes.append((batch.column(1)[0].as_py(), batch.column(0).to_pylist()))

    def watermark(self, source, ms):
        pass

    def end(self, source):
        pass


def run(sources, drift):
    """Read sources (lists of splits of blocks) in one group; return the blocks in the order in which they came."""
    parts, group, notes = Parts(), AlignmentGroup(), []
    for number, splits in enumerate(sources):
        named = [Blocks((number, place), blocks) for place, blocks in enumerate(splits)]
        for split in named:
            split.number = 10 * number + split.number[1]
        stage = SourceStage(f"source {number}", Listed(named), max(1, len(named)), parts.new_metrics(number, "source"))
        stage.alignment = Alignment(group, drift)
        marks = MapNode("mark", lambda b: b.with_steps(Steps.rising(np.asarray(b.column(0)))), stage.metrics)
        stage.out.add(marks)
        marks.out.add(Noted(notes))
        parts.sources.append(stage)
    Job(parts).run()
    return notes


BLOCKS = st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=3), max_size=8)
SOURCES = st.lists(st.lists(BLOCKS, min_size=1, max_size=2), min_size=1, max_size=3)


@settings(max_examples=60)
@given(SOURCES, st.integers(0, 40))
def test_no_split_is_read_that_is_further_ahead_than_the_drift(sources, drift):
    notes = run(sources, drift)
    left = {10 * n + place: len(blocks) for n, splits in enumerate(sources) for place, blocks in enumerate(splits)}
    marks = dict.fromkeys(left, MIN_TIME_MS)
    for split, times in notes:
        # marks only rise: what is too far ahead now was so when the block was asked for
        others = [mark for each, mark in marks.items() if left[each]]
        assert marks[split] <= min(others) + drift
        marks[split] = max(marks[split], *times)
        left[split] -= 1
    assert not any(left.values()), "everything was read in the end"


def test_a_source_that_is_far_ahead_waits_for_the_other():
    ahead = [[number * 100] for number in range(50)]
    behind = [[number] for number in range(50)]
    notes = run([[ahead], [behind]], 150)
    places = {split: [i for i, (each, _) in enumerate(notes) if each == split] for split in (0, 10)}
    # 0, 100 and 200 may be read at any time; what comes then waits for the other's end, whose mark never is above 49
    assert places[10][-1] < places[0][3]


def test_a_group_needs_a_drift(tmp_path):
    (tmp_path / "t.csv").write_text("1970-01-01 00:00:00\n")
    schema = pa.schema([("ts", pa.timestamp("ms"))])
    group = {"scan.watermark.alignment.group": "g"}
    with pytest.raises(fx.ScriptError, match="max-drift") as error:
        fx.Session().read(tmp_path / "t.csv", schema=schema, options=group)
    assert error.value.code == "FX-SQL-0512"
    both = {**group, "scan.watermark.alignment.max-drift": "5 s"}
    assert fx.Session().read(tmp_path / "t.csv", schema=schema, options=both).to_arrow().num_rows == 1


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_aligned_tables_give_the_same_answer(tmp_path, parallelism):
    for name, step in (("a", 1), ("b", 7)):
        (tmp_path / f"{name}.csv").write_text(
            "".join(f"{i},1970-01-01 00:{i * step // 60:02}:{i * step % 60:02}\n" for i in range(300))
        )
    session = fx.Session({"parallelism.default": parallelism})
    for name in ("a", "b"):
        session.execute(f"""
        CREATE TABLE {name} (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
          'connector' = 'filesystem', 'path' = '{tmp_path}/{name}.csv', 'format' = 'csv',
          'scan.watermark.alignment.group' = 'both', 'scan.watermark.alignment.max-drift' = '10 s',
          'scan.watermark.alignment.update-interval' = '1 s', 'scan.watermark.emit.strategy' = 'on-periodic'
        );""")
    query = """
    SELECT COUNT(*) AS n FROM a JOIN b ON a.id = b.id AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '1' MINUTE
    """
    assert session.sql(query).to_arrow()["n"].to_pylist() == [11]
