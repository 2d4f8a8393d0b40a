"""Rows that an operator gives beside its own reach those who ask for them, in the same job as its own rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.api.stream import Stream
from fluxcore.connectors.collect import CollectSink
from fluxcore.core.batch import Batch
from fluxcore.core.schema import Schema
from fluxcore.plan.nodes import Process, SideOutput
from fluxcore.runtime.execute import EmbeddedTarget

SIDE = pa.schema([("value", pa.int64())])


class Parted(fx.ProcessFunction):
    """Keeps even values and gives odd ones to the side."""

    def process(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        if row["value"] % 2 == 0:
            return [{"value": row["value"]}]
        context = self.task.context  # type: ignore[attr-defined]
        context.side("odd", Batch(pa.RecordBatch.from_pylist([{"value": row["value"]}], SIDE)))
        context.side("unread", Batch(pa.RecordBatch.from_pylist([{"value": row["value"]}], SIDE)))
        return []


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_side_rows_and_own_rows_of_one_job(parallelism: str) -> None:
    session = fx.Session({"parallelism.default": parallelism})
    rows = session.from_arrow(pa.table({"key": [i % 7 for i in range(1000)], "value": list(range(1000))}))
    own = rows.process(Parted(), by="key", schema=SIDE)
    assert isinstance(own.node, Process)
    side = SideOutput(own.node, "odd", Schema.from_arrow(SIDE))
    even, odd = CollectSink(), CollectSink()
    EmbeddedTarget().start([(own.node, even), (side, odd)], session.settings).result()
    assert sorted(v for b in even.batches for v in b.data.column(0).to_pylist()) == list(range(0, 1000, 2))
    assert sorted(v for b in odd.batches for v in b.data.column(0).to_pylist()) == list(range(1, 1000, 2))


def test_a_side_output_alone() -> None:
    session = fx.Session({"parallelism.default": "2"})
    rows = session.from_arrow(pa.table({"key": [1, 2, 3], "value": [1, 2, 3]}))
    own = rows.process(Parted(), by="key", schema=SIDE)
    odd = Stream(session, SideOutput(own.node, "odd", Schema.from_arrow(SIDE))).to_arrow()
    assert sorted(odd.column("value").to_pylist()) == [1, 3]
