"""An inbox holds its writers back in rows and bytes, and wakes everybody when the job is cancelled."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from fluxcore.core.batch import Batch
from fluxcore.core.control import End, Watermark
from fluxcore.errors import Cancelled
from fluxcore.runtime.inbox import Inbox


def rows(count: int) -> Batch:
    return Batch(pa.RecordBatch.from_arrays([pa.array(range(count), pa.int64())], ["v"]))


def test_elements_come_in_order_with_their_input() -> None:
    inbox = Inbox()
    inbox.put(0, rows(1))
    inbox.put(1, Watermark(5))
    inbox.put(0, End())
    assert [inbox.get()[0] for _ in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(("rows_max", "bytes_max"), [(10, 10**9), (10**9, 80)])
def test_a_full_inbox_holds_the_writer_until_the_reader_takes(rows_max: int, bytes_max: int) -> None:
    inbox = Inbox(rows_max, bytes_max)
    inbox.put(0, rows(10))
    written = threading.Event()

    def write() -> None:
        inbox.put(0, rows(10))
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    while inbox.statistics()["blocked"] == 0:
        threading.Event().wait(0.001)
    assert not written.is_set()
    assert inbox.statistics()["rows"] == 10
    inbox.get()
    assert written.wait(10)
    writer.join()
    assert inbox.statistics()["rows"] == 10


def test_one_large_batch_fits_an_empty_inbox() -> None:
    inbox = Inbox(rows=1)
    inbox.put(0, rows(1000))
    assert inbox.statistics()["rows"] == 1000


def test_control_elements_never_wait() -> None:
    inbox = Inbox(rows=1)
    inbox.put(0, rows(5))
    inbox.put(0, Watermark(1))
    inbox.get()
    assert inbox.get()[1] == Watermark(1)


def test_cancelling_wakes_a_waiting_reader() -> None:
    inbox = Inbox()
    seen: list[type] = []

    def read() -> None:
        try:
            inbox.get()
        except Cancelled as error:
            seen.append(type(error))

    reader = threading.Thread(target=read)
    reader.start()
    inbox.cancel()
    reader.join(10)
    assert seen == [Cancelled]
    with pytest.raises(Cancelled):
        inbox.put(0, End())
