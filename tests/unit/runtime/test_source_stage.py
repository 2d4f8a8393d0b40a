"""A source stage decodes with several threads and still hands rows on in order, with row-exact watermarks."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.ports import Signal, Sink, Source, Split, SplitReader
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.errors import Cancelled, DataError, FluxError
from fluxcore.runtime.job import Job, Parts
from fluxcore.runtime.nodes import MapNode, Receiver, SinkNode
from fluxcore.runtime.source_stage import SourceStage


class ListSplit(Split):
    """Gives blocks of numbers; ``gates`` lets a test hold a block's decoding back until another one was decoded."""

    def __init__(self, name: str, blocks: list[list[int]], gates: dict[int, threading.Event] | None = None) -> None:
        self._name = name
        self.blocks = blocks
        self.gates = gates or {}
        self.decoded: list[int] = []

    @property
    def name(self) -> str:
        return self._name

    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        return ListReader(self)


class ListReader(SplitReader):
    def __init__(self, split: ListSplit) -> None:
        self._split = split
        self._next = 0
        self.closed = False

    def take(self) -> int | Signal:
        if self._next == len(self._split.blocks):
            return Signal.END
        self._next += 1
        return self._next - 1

    def decode(self, unit: int) -> Batch:
        gate = self._split.gates.get(unit)
        if gate is not None:
            assert gate.wait(10)
        self._split.decoded.append(unit)
        later = self._split.gates.get(-1)
        if later is not None and unit > 0:
            later.set()
        values = self._split.blocks[unit]
        if -999 in values:
            raise DataError("FX-DAT-0001", "a bad row")
        return Batch(pa.RecordBatch.from_arrays([pa.array(values, pa.int64())], ["v"]))


class ListSource(Source):
    def __init__(self, splits: Sequence[Split]) -> None:
        self._splits = splits

    def splits(self) -> Sequence[Split]:
        return self._splits


class Recorder(Receiver):
    """Notes every row with the watermark that stood before it, and what came between batches."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int]] = []
        self.mark = MIN_TIME_MS
        self.ended = 0

    def connect(self, port: int = 0) -> int:
        return 0

    def push(self, source: int, batch: Batch) -> None:
        marks = [self.mark] * batch.rows
        if batch.steps is not None:
            marks = batch.steps.before_each(batch.rows, self.mark).tolist()
            assert batch.steps.last > self.mark
            self.mark = batch.steps.last
        self.rows += list(zip(batch.column(0).to_pylist(), marks, strict=True))

    def watermark(self, source: int, ms: int) -> None:
        assert ms > self.mark
        self.mark = ms

    def end(self, source: int) -> None:
        self.ended += 1


class ListSink(Sink):
    def __init__(self) -> None:
        self.values: list[int] = []
        self.told: list[str] = []

    def write(self, batch: Batch) -> None:
        self.values += batch.column(0).to_pylist()

    def commit(self) -> None:
        self.told.append("commit")

    def abort(self) -> None:
        self.told.append("abort")

    def close(self) -> None:
        self.told.append("close")


def assign(batch: Batch) -> Batch:
    return batch.with_steps(Steps.rising(np.asarray(batch.column(0))))


def run(splits: Sequence[Split], receiver: Receiver, workers: int, filtered: int | None = None) -> Parts:
    parts = Parts()
    stage = SourceStage("source", ListSource(splits), workers, parts.new_metrics(0, "source"))
    parts.sources.append(stage)
    marks = MapNode("mark", assign, parts.new_metrics(1, "mark"))
    stage.out.add(marks)
    if filtered is not None:
        keep = MapNode(
            "keep", lambda b: b.filter(np.asarray(b.column(0)) % filtered == 0), parts.new_metrics(2, "keep")
        )
        marks.out.add(keep)
        keep.out.add(receiver)
    else:
        marks.out.add(receiver)
    Job(parts).run()
    return parts


def naive(values: list[int]) -> list[tuple[int, int]]:
    result, mark = [], MIN_TIME_MS
    for value in values:
        result.append((value, mark))
        mark = max(mark, value)
    return result


@given(st.lists(st.lists(st.integers(0, 100), max_size=6), max_size=12), st.integers(1, 4))
def test_one_split_is_delivered_in_order_with_the_watermark_of_the_rows_before(
    blocks: list[list[int]], workers: int
) -> None:
    recorder = Recorder()
    run([ListSplit("a", blocks)], recorder, workers)
    assert recorder.rows == naive([value for block in blocks for value in block])
    assert recorder.mark == MAX_TIME_MS
    assert recorder.ended == 1


@given(st.lists(st.lists(st.integers(0, 100), max_size=6), max_size=12), st.integers(1, 3))
def test_a_filter_behind_the_watermark_does_not_change_it(blocks: list[list[int]], workers: int) -> None:
    recorder = Recorder()
    run([ListSplit("a", blocks)], recorder, workers, filtered=3)
    wanted = naive([value for block in blocks for value in block])
    assert recorder.rows == [(value, mark) for value, mark in wanted if value % 3 == 0]


def test_a_slow_block_holds_back_those_behind_it() -> None:
    gate = threading.Event()
    split = ListSplit("a", [[1], [2], [3]], {0: gate, -1: gate})
    recorder = Recorder()
    run([split], recorder, 2)
    assert split.decoded[0] != 0, "a later block was decoded first"
    assert [value for value, _ in recorder.rows] == [1, 2, 3]


def test_several_splits_combine_to_their_minimum() -> None:
    splits = [ListSplit(str(n), [[n + 3 * (5 * j + i) for i in range(5)] for j in range(4)]) for n in range(3)]
    recorder = Recorder()
    run(splits, recorder, 2)
    assert sorted(value for value, _ in recorder.rows) == sorted(v for s in splits for b in s.blocks for v in b)
    assert all(mark <= value for value, mark in recorder.rows), "no row is late while every split is in order"


def test_no_splits_end_at_once() -> None:
    recorder = Recorder()
    run([], recorder, 2)
    assert recorder.ended == 1
    assert recorder.mark == MAX_TIME_MS


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_an_error_stops_the_job_and_the_sink_aborts(workers: int) -> None:
    parts = Parts()
    stage = SourceStage(
        "reader", ListSource([ListSplit("a", [[1], [-999], [3]] * 50)]), workers, parts.new_metrics(0, "r")
    )
    sink = ListSink()
    node = SinkNode("out", sink, parts.new_metrics(1, "out"))
    parts.sources.append(stage)
    parts.sinks.append(node)
    stage.out.add(node)
    with pytest.raises(FluxError) as caught:
        Job(parts).run()
    assert caught.value.code == "FX-DAT-0001"
    assert caught.value.place is not None
    assert caught.value.place.operator == "reader"
    assert sink.told == ["abort", "close"]
    assert sink.values in ([], [1])


def test_cancelling_ends_an_endless_job() -> None:
    class Endless(ListSource):
        bounded = False

    class EndlessSplit(ListSplit):
        def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
            reader = ListReader(self)
            reader.take = lambda: 0  # type: ignore[method-assign]
            return reader

    parts = Parts()
    stage = SourceStage("reader", Endless([EndlessSplit("a", [[1, 2, 3]])]), 2, parts.new_metrics(0, "r"))
    sink = ListSink()
    seen = threading.Event()
    write = sink.write

    def noticed(batch: Batch) -> None:
        write(batch)
        seen.set()

    sink.write = noticed  # type: ignore[method-assign]
    node = SinkNode("out", sink, parts.new_metrics(1, "out"))
    parts.sources.append(stage)
    parts.sinks.append(node)
    parts.bounded = False
    stage.out.add(node)
    job = Job(parts).start()
    assert seen.wait(10)
    job.stop()
    assert sink.told == ["commit", "close"], "an endless job that is stopped keeps what it wrote"
    with pytest.raises(Cancelled):
        job.result()
