import io

import numpy as np
import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.cli.output.sinks import ChangesTableSink
from fluxcore.core.batch import Batch
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, STRING
from fluxcore.operators.change_kinds import operations
from fluxcore.plan.changelog import unique_key


def batch(*rows):
    """Rows of (weight, key, value)."""
    columns = [pa.array([row[1] for row in rows], pa.string()), pa.array([row[2] for row in rows], pa.int64())]
    return Batch(pa.RecordBatch.from_arrays(columns, ["k", "n"]), np.array([row[0] for row in rows], np.int8))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ((0,), ["-U", "+U", "-D", "+I", "-U", "+U"]),
        (None, ["-U", "+U", "-U", "+U", "-U", "+U"]),
        ((), ["-U", "+U", "-U", "+U", "-U", "+U"]),
    ],
)
def test_an_update_is_of_one_key(key, expected) -> None:
    changes = batch((-1, "a", 1), (1, "a", 2), (-1, "b", 1), (1, "c", 1), (-1, None, 1), (1, None, 2))
    assert operations(changes, key).to_pylist() == expected


def test_rows_without_weights_are_insertions() -> None:
    assert operations(Batch(batch((1, "a", 1), (1, "b", 2)).data), None).to_pylist() == ["+I", "+I"]


def test_a_table_of_changes_names_them_first() -> None:
    stream = io.BytesIO()
    sink = ChangesTableSink(stream, Schema.of((Column("k", STRING), Column("n", BIGINT))), (0,))
    sink.write(batch((1, "a", 1)))
    sink.write(batch((-1, "a", 1), (1, "a", 2)))
    sink.commit()
    assert stream.getvalue().decode().splitlines() == [
        "+----+---+---+",
        "| op | k | n |",
        "+----+---+---+",
        "| +I | a | 1 |",
        "| -U | a | 1 |",
        "| +U | a | 2 |",
        "+----+---+---+",
        "3 rows",
    ]


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("SELECT k, COUNT(*) AS n FROM t GROUP BY k", (0,)),
        ("SELECT COUNT(*) AS n, k FROM t GROUP BY k", (1,)),
        ("SELECT COUNT(*) AS n, k FROM t GROUP BY k HAVING COUNT(*) > 1", (1,)),
        ("SELECT COUNT(*) AS n FROM t GROUP BY k", None),
        ("SELECT COUNT(*) AS n FROM t", ()),
        ("SELECT k FROM t", None),
    ],
)
def test_the_key_of_a_result(query, key) -> None:
    session = fx.Session()
    session.from_arrow(pa.table({"k": ["a"], "v": [1]}), name="t")
    assert unique_key(session.sql(query).node) == key
