"""Splits without rows: nobody waits for them, until they have rows again. The clock is the test's."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.ports import Operator, OperatorContext, Signal, Source, Split, SplitReader
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.runtime.job import Job, Parts
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes import ExchangeNode, MapNode, OperatorNode, Receiver
from fluxcore.runtime.source_stage import SourceStage
from fluxcore.runtime.task import Task
from fluxcore.state.backend import MemoryStateBackend


class Hand:
    def __init__(self):
        self.now = 0

    def now_ms(self):
        return self.now

    def monotonic_s(self):
        return self.now / 1000


class Scripted(Split, SplitReader):
    """Plays one script for all splits: ``(split, times)`` gives rows, a number lets so many ms pass."""

    def __init__(self, number, script, clock):
        self.number, self.script, self.clock = number, script, clock

    @property
    def name(self):
        return str(self.number)

    def open(self, position=None):
        return self

    def take(self):
        if not self.script:
            return Signal.END
        if isinstance(self.script[0], int):
            self.clock.now += self.script.pop(0)
            return Signal.NOTHING_NOW
        if self.script[0][0] != self.number:
            return Signal.NOTHING_NOW
        return self.script.pop(0)[1]

    def decode(self, unit):
        return Batch(pa.RecordBatch.from_arrays([pa.array(unit, pa.int64())], ["t"]))


class Live(Source):
    bounded = False

    def __init__(self, splits):
        self._splits = splits

    def splits(self):
        return self._splits


class Seen(Receiver):
    """Notes rows with the watermark before each, watermarks, and idleness."""

    def __init__(self):
        self.what, self.mark = [], MIN_TIME_MS

    def connect(self, port=0):
        return 0

    def push(self, source, batch):
        before = [self.mark] * batch.rows
        if batch.steps is not None:
            before = batch.steps.before_each(batch.rows, self.mark).tolist()
            self.mark = batch.steps.last
        self.what += zip(batch.column(0).to_pylist(), before, strict=True)

    def watermark(self, source, ms):
        self.mark = ms
        self.what.append(f"watermark {ms}" if ms not in (MIN_TIME_MS, MAX_TIME_MS) else "watermark")

    def idle(self, source):
        self.what.append("idle")

    def end(self, source):
        self.what.append("end")


def play(splits, script, timeout_s=3.0, column=lambda batch: np.asarray(batch.column(0))):
    clock, parts, seen, script = Hand(), Parts(), Seen(), list(script)
    source = Live([Scripted(number, script, clock) for number in range(splits)])
    stage = SourceStage("source", source, 1, parts.new_metrics(0, "source"), clock)
    stage.idle_timeout_s = timeout_s
    marks = MapNode("mark", lambda batch: batch.with_steps(Steps.rising(column(batch))), parts.new_metrics(1, "mark"))
    stage.out.add(marks)
    marks.out.add(seen)
    parts.sources.append(stage)
    Job(parts).run()
    return seen.what


def without_marks(what):
    return [each for each in what if not isinstance(each, str)]


def test_an_idle_split_holds_nobody_and_counts_again_when_it_has_rows():
    script = [(0, [10]), (1, [5]), (0, [20]), 1000, (0, [30]), 1000, (0, [40]), 1000, 1, (0, [50]), (0, [60])]
    # split 1 has been silent for 3001 ms: the mark is that of split 0
    what = play(2, [*script, (1, [7]), (0, [70]), (0, [80])])
    assert without_marks(what) == [
        (10, MIN_TIME_MS), (5, MIN_TIME_MS), (20, 5), (30, 5), (40, 5), (50, 40), (60, 50),
        (7, 60), (70, 60), (80, 60),  # split 1 holds at 7 again, but what was said is never taken back
    ]  # fmt: skip


def test_without_a_timeout_the_silent_split_holds():
    what = play(2, [(0, [10]), (1, [5]), 9000, 9000, (0, [20]), (0, [30])], timeout_s=None)
    assert without_marks(what) == [(10, MIN_TIME_MS), (5, MIN_TIME_MS), (20, 5), (30, 5)]


def test_a_split_that_never_said_anything_is_idle_too():
    what = play(2, [(0, [10]), 1000, (0, [11]), 1000, (0, [12]), 1000, 1, (0, [20]), (0, [30])])
    assert without_marks(what)[-2:] == [(20, 12), (30, 20)]


def test_when_all_are_idle_those_behind_are_told_and_told_again():
    what = play(2, [(0, [10]), (1, [20]), 3000, 0, 0, 0, 0, (1, [30]), (0, [40])])
    after = what[what.index("idle") + 1 :]
    assert "idle" not in after
    assert after[0].startswith("watermark"), "it is active before its rows come"
    assert [each for each, _ in without_marks(after)] == [30, 40]


def test_a_split_whose_reader_waits_for_rows_is_idle_too():
    clock, parts, seen, go_on = Hand(), Parts(), Seen(), threading.Event()

    class Waiting(Scripted):
        def take(self):
            if self.script:
                return self.script.pop(0)
            go_on.wait()
            return Signal.END

    class Watching(Scripted):
        def take(self):
            if len(self.script) == 2 and not stage._splits[0].idle:
                clock.now = 3_001
                return Signal.NOTHING_NOW
            if not self.script:
                go_on.set()
            return self.script.pop(0) if self.script else Signal.END

    source = Live([Waiting(0, [[10]], clock), Watching(1, [[5], [20], [30]], clock)])
    stage = SourceStage("source", source, 2, parts.new_metrics(0, "source"), clock)
    stage.idle_timeout_s = 3.0
    marks = MapNode("mark", lambda b: b.with_steps(Steps.rising(np.asarray(b.column(0)))), parts.new_metrics(1, "mark"))
    stage.out.add(marks)
    marks.out.add(seen)
    parts.sources.append(stage)
    Job(parts).run()
    assert without_marks(seen.what)[-1] == (30, 20)


def test_rows_without_a_watermark_make_a_split_active():
    def marked(batch):  # only even times are marks
        values = np.asarray(batch.column(0))
        return np.where(values % 2 == 0, values, MIN_TIME_MS)

    what = play(2, [(0, [10]), (1, [4]), 3000, 1, 0, 0, (0, [20]), (1, [7]), (0, [30]), (0, [40])], column=marked)
    rows = without_marks(what)
    assert rows[-2:] == [(30, 20), (40, 20)], "split 1 holds at 4 again: the watermark stays at 20"


class Passing(Operator):
    def process(self, batch, port=0):
        return [batch]


def node():
    context = OperatorContext("test", MemoryStateBackend(), Hand(), lambda _: None)
    return OperatorNode(Passing(), context, NodeMetrics("node"))


def rows(*times, mark=None):
    data = pa.RecordBatch.from_arrays([pa.array(times, pa.int64())], ["t"])
    return Batch(data, None, None if mark is None else Steps.at(len(times), mark))


def test_idleness_passes_through_operators_and_exchanges():
    first, second, seen = node(), node(), Seen()
    both = Task("both", node(), Hand())
    both.head.out.add(seen)
    for each in (first, second):
        each.connect()
        each.out.add(ExchangeNode([(both.inbox, both.add_input(0))], None, None, each.metrics))
    first.connect()  # two inputs: the piece is idle when both are

    def deliver():
        while both.inbox.statistics()["rows"] or both.inbox._queue:
            number, element = both.inbox.get()
            source = number
            match element:
                case Batch():
                    both.head.push(source, element)
                case _ if type(element).__name__ == "Watermark":
                    both.head.watermark(source, element.ms)
                case _ if type(element).__name__ == "Idle":
                    both.head.idle(source)

    first.watermark(0, 10)
    first.watermark(1, 10)
    second.watermark(0, 50)
    deliver()
    assert seen.mark == 10
    first.idle(0)
    deliver()
    assert seen.mark == 10, "the other input of the first piece is active"
    first.idle(1)
    deliver()
    assert seen.mark == 50
    first.push(0, rows(12))
    second.push(0, rows(60, mark=60))
    deliver()
    assert seen.mark == 50, "the first piece is active again, and holds at 10"
    first.watermark(0, 55)
    deliver()
    assert seen.mark == 55, "its idle input does not count"
    second.idle(0)
    first.idle(0)
    deliver()
    assert seen.what[-1] == "idle"


def test_an_input_that_ends_leaves_the_idle_ones_their_time():
    piece, seen = node(), Seen()
    piece.out.add(seen)
    piece.connect()
    piece.connect()
    piece.watermark(0, 10)
    piece.watermark(1, 5)
    piece.idle(1)
    assert seen.mark == 10
    piece.end(0)
    assert seen.mark == 10, "the end of one input is not the end of time while another may come back"
    piece.push(1, rows(12, mark=12))
    assert seen.mark == 12
    piece.end(1)
    assert seen.mark == MAX_TIME_MS
    assert seen.what[-1] == "end"
