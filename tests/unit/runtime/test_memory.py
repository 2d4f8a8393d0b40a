"""A job that would take more memory than it may ends with an error that says what grew; state goes when its job has ended."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.connectors.collect import CollectSink
from fluxcore.core.machine import free_bytes
from fluxcore.core.size import size_bytes
from fluxcore.errors import JobError, ScriptError
from fluxcore.runtime.execute import EmbeddedTarget
from fluxcore.runtime.memory import MemoryBudget, process_bytes
from fluxcore.runtime.metrics import NodeMetrics


def test_near_its_end_it_is_tight_and_over_it_an_error_names_the_largest_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluxcore.runtime.memory.MEMORY_LOOK_S", 0.0)
    taken = [50]
    budget = MemoryBudget(100, lambda: taken[0] * 2**20)
    budget.limit = 100 * 2**20
    small, large = NodeMetrics("Rank(a)"), NodeMetrics("Join(a, b)")
    small.state_bytes, large.state_bytes = 2**20, 40 * 2**20
    budget.watch(small)
    budget.watch(large)
    budget.check()
    assert not budget.tight
    taken[0] = 90
    budget.check()
    assert budget.tight
    taken[0] = 60
    budget.check()
    assert not budget.tight
    taken[0] = 101
    with pytest.raises(
        JobError, match=r"takes 101 MB.*budget of 100 MB; state by operator: Join\(a, b\) 40 MB"
    ) as error:
        budget.check()
    assert error.value.code == "FX-RUN-0903"


def test_without_a_size_it_is_most_of_what_is_free() -> None:
    free = free_bytes()
    assert free is not None
    limit = MemoryBudget().limit
    assert limit is not None
    assert process_bytes() < limit < process_bytes() + 1.1 * free


def test_a_job_over_its_budget_fails_and_the_program_lives() -> None:
    budget = process_bytes() // 2**20 + 64
    session = fx.Session({"taskmanager.memory.process.size": f"{budget} mb", "parallelism.default": "1"})
    session.from_arrow(pa.table({"k": np.arange(100_000)}), name="few")
    assert session.sql("SELECT k, COUNT(*) FROM few GROUP BY k").to_arrow().num_rows == 100_000
    schema = pa.schema([("k", pa.int64())])
    endless = pa.RecordBatchReader.from_batches(
        schema, (pa.record_batch([pa.array(np.arange(i, i + 100_000))], schema) for i in range(0, 2**40, 100_000))
    )
    session.from_arrow(endless, name="more", endless=True)
    plan = session.sql("SELECT k, COUNT(*) FROM more GROUP BY k").node
    job = EmbeddedTarget().start([(plan, CountingSink())], session.settings, changelog=True)
    with pytest.raises(JobError, match=r"Aggregate\(more\)") as error:
        job.result()
    assert error.value.code == "FX-RUN-0903"


class CountingSink(CollectSink):
    """Takes rows and drops them."""

    def write(self, batch: object) -> None:
        """Drop a batch."""


@pytest.mark.parametrize(
    ("text", "size"),
    [("512mb", 2**29), ("2 G", 2**31), ("1kb", 1024), ("7", 7), ("3 bytes", 3), ("1 mebibytes", 2**20)],
)
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "mb", "-1 mb", "1.5 gb", "1 parsec"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        size_bytes(text)
    if text:
        with pytest.raises(ScriptError, match=r"taskmanager\.memory\.process\.size"):
            fx.Session({"taskmanager.memory.process.size": text})
