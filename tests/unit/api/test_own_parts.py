"""Sources and sinks that a program brings: one small class each."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fluxcore as fx

SCHEMA = pa.schema([("n", pa.int64()), ("ts", pa.timestamp("ms"))])


class Counting(fx.Feed):
    """Counts in batches of three, with a pause between them."""

    replayable = True

    def __init__(self, last):
        self.last = last
        self.told = []

    def open(self, position):
        self.next, self.pause = (position or {"next": 0})["next"], True
        self.told.append("open")

    def take(self):
        self.pause = not self.pause
        if self.pause:
            return fx.Signal.NOTHING_NOW
        if self.next >= self.last:
            return fx.Signal.END
        numbers = list(range(self.next, min(self.next + 3, self.last)))
        self.next += 3
        stamps = pa.array([1000 * n for n in numbers], pa.int64()).cast(pa.timestamp("ms"))
        return pa.RecordBatch.from_arrays([pa.array(numbers), stamps], schema=SCHEMA)

    def position(self):
        return {"next": self.next}

    def close(self):
        self.told.append("close")


@pytest.mark.parametrize("parallelism", ["1", "2"])
def test_a_feed_is_a_table_like_others(parallelism):
    session = fx.Session({"parallelism.default": parallelism})
    feed = Counting(10)
    stream = session.from_feed(feed, schema=SCHEMA, name="numbers", watermark=("ts", "0 s"))
    for _ in range(2):  # each job reads a copy from its start
        assert stream.filter(fx.col("n") > 6).to_arrow()["n"].to_pylist() == [7, 8, 9]
    windows = stream.window(fx.tumble("ts", "5 s")).group_by().agg(n=fx.count()).to_arrow()
    assert windows["n"].to_pylist() == [5, 5]
    assert session.sql("SELECT SUM(n) AS s FROM numbers").to_arrow().to_pylist() == [{"s": 45}]
    assert feed.told == ["open", "close"] * 4


def test_a_feed_goes_on_from_a_position():
    feed = Counting(10)
    feed.open(None)
    while feed.take() is fx.Signal.NOTHING_NOW:
        pass
    again = Counting(10)
    again.open(feed.position())
    while (batch := again.take()) is fx.Signal.NOTHING_NOW:
        pass
    assert batch["n"].to_pylist() == [3, 4, 5]


class Broken(fx.Feed):
    def take(self):
        raise ConnectionError("the line is dead")


def test_a_feed_that_breaks_fails_the_job():
    stream = fx.Session().from_feed(Broken(), schema=SCHEMA, name="broken")
    with pytest.raises(fx.FluxError, match="the line is dead"):
        stream.to_arrow()


class Told(fx.Sink):
    def __init__(self):
        self.told = []

    def open(self):
        self.told.append("open")

    def write(self, batch):
        self.told += batch.data["n"].to_pylist()

    def commit(self):
        self.told.append("commit")

    def abort(self):
        self.told.append("abort")


def test_a_sink_of_the_program():
    session, sink = fx.Session({"parallelism.default": "1"}), Told()
    session.from_feed(Counting(5), schema=SCHEMA, name="numbers").write(sink)
    assert sink.told == ["open", 0, 1, 2, 3, 4, "commit"]
    failed = Told()
    with pytest.raises(fx.FluxError):
        session.from_feed(Broken(), schema=SCHEMA, name="broken").write(failed)
    assert failed.told == ["open", "abort"]
