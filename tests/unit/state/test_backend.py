"""State gives its memory back when it is closed, though something still refers to it."""

from __future__ import annotations

import weakref

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.connectors.blackhole import BlackholeSink
from fluxcore.core.types import BIGINT, STRING
from fluxcore.runtime.execute import EmbeddedTarget
from fluxcore.runtime.nodes import OperatorNode
from fluxcore.state.backend import MemoryStateBackend


def test_a_closed_backend_holds_no_memory():
    backend = MemoryStateBackend()
    table = backend.table("t", [BIGINT, STRING], {"n": "i8"})
    rows = backend.rows("r", pa.schema([("a", pa.int64()), ("b", pa.string())]), {"n": "i8"})
    table.upsert([pa.array([1]), pa.array(["a"])])
    rows.add(pa.RecordBatch.from_pydict({"a": [1], "b": ["x"]}))
    columns = [weakref.ref(each.columns["n"]) for each in (table, rows)]
    kept = table.columns
    backend.close()
    assert [column() for column in columns] == [None, None]
    assert not kept
    with pytest.raises(AttributeError):
        table.upsert([pa.array([1]), pa.array(["a"])])


def test_a_job_that_has_ended_holds_no_state(monkeypatch):
    """Hundreds of queries in one process would otherwise use the address space up before the collector runs."""
    opened, opens = [], OperatorNode.open

    def remembered(node):
        opens(node)
        opened.append(node)

    monkeypatch.setattr(OperatorNode, "open", remembered)
    session = fx.Session({"parallelism.default": "2"})
    session.from_arrow(pa.table({"k": [1, 2, 2]}), name="t")
    query = session.sql("SELECT k, COUNT(*) FROM t GROUP BY k").node
    job = EmbeddedTarget().prepare([(query, BlackholeSink())], session.settings)
    job.run()
    assert opened
    assert not any(node._context.state.tables for node in opened)
    assert max(each.state_rows for each in job.metrics().operators) == 2
