"""print, blackhole, memory and the sinks that programs read from."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.connectors.collect import QueueSink
from fluxcore.core.batch import Batch
from fluxcore.errors import Cancelled

ROWS = "(VALUES (1, 'a', CAST(NULL AS DOUBLE), TRUE), (2, 'b', 1E0, FALSE)) AS t(x, s, d, f)"


def test_print_writes_a_line_a_row(capsys):
    session = Session({"parallelism.default": "1"})
    session.execute(
        "CREATE TABLE p (x INT, s STRING, d DOUBLE, f BOOLEAN) WITH ('connector' = 'print', 'print-identifier' = 'me');"
        f"INSERT INTO p SELECT * FROM {ROWS};"
    )
    assert capsys.readouterr().out == "me> +I[1, a, null, true]\nme> +I[2, b, 1.0, false]\n"


def test_print_to_standard_error_with_changes(capsys):
    session = Session({"parallelism.default": "1"})
    session.execute(
        "CREATE TABLE p (s STRING, t STRING) WITH ('connector' = 'print', 'standard-error' = 'true');"
        f"INSERT INTO p SELECT a.s, b.s FROM {ROWS} LEFT JOIN (SELECT s FROM {ROWS} WHERE x = 1) AS b ON t.s = b.s;".replace(
            "SELECT a.s", "SELECT t.s"
        )
    )
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    net = {line[2:]: 0 for line in lines}
    for line in lines:
        net[line[2:]] += 1 if line.startswith("+I") else -1
    assert {row for row, count in net.items() if count} == {"[a, a]", "[b, null]"}


def test_a_blackhole_takes_everything():
    session = Session()
    session.execute(
        "CREATE TABLE b (s STRING, n BIGINT) WITH ('connector' = 'blackhole');"
        f"INSERT INTO b SELECT s, COUNT(*) FROM {ROWS} GROUP BY s;"
    )


def test_rows_in_memory_are_read_without_copying():
    data = pa.table({"a": list(range(1000))})
    (batch,) = Session({"parallelism.default": "1"}).from_arrow(data, name="t").batches()
    assert batch.column(0).buffers()[1].address == data.column(0).chunk(0).buffers()[1].address


def test_a_queue_holds_its_writer_back_until_it_is_read():
    queue, written = QueueSink(rows=10), []
    batch = Batch(pa.RecordBatch.from_pydict({"a": list(range(10))}))
    full = threading.Event()

    def write():
        for number in range(5):
            if number == 1:
                full.set()
            queue.write(batch)
            written.append(number)
        queue.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert full.wait(30)
    assert len(written) <= 2
    assert sum(each.rows for each in queue) == 50
    thread.join(30)
    assert written == [0, 1, 2, 3, 4]


def test_a_cancelled_queue_wakes_its_writer():
    queue = QueueSink(rows=1)
    batch = Batch(pa.RecordBatch.from_pydict({"a": [1]}))
    queue.write(batch)
    queue.cancel()
    with pytest.raises(Cancelled):
        queue.write(batch)
