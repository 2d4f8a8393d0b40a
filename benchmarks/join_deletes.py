"""Times a retraction in a key of many rows: it must cost the same in a key of a thousand rows and in one of a million.

    python benchmarks/join_deletes.py [--sizes 1000 10000 100000 1000000] [--deletes 2000] [--repeat 3] [--json FILE]

All rows have one key. The join meets them with one row on the other side, so that each deleted row takes one joined row back;
the ranking keeps the first ten. Rows are deleted in random order, in batches of 100, and one at a time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.ports import Operator, OperatorContext
from fluxcore.core.time import SystemClock
from fluxcore.core.types import BIGINT
from fluxcore.operators.joins.join import JoinOperator, JoinOptions
from fluxcore.operators.joins.join_side import JoinInput
from fluxcore.operators.joins.window_join import JoinRows
from fluxcore.operators.ranking.tree_top_n import TreeTopNOperator
from fluxcore.operators.ranking.window_rank import RankOptions
from fluxcore.operators.sort_words import OrderKey
from fluxcore.state.backend import MemoryStateBackend

SEED = 7
SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64())])
TYPES = (BIGINT, BIGINT)
LOAD_ROWS = 50_000


def join() -> Operator:
    side = JoinInput(SCHEMA, TYPES, (0,), append_only=False)
    output = pa.schema([*SCHEMA, *SCHEMA])
    return JoinOperator(JoinOptions(JoinRows.INNER, side, side, (BIGINT.with_nullable(False),), output))


def ranking() -> Operator:
    return TreeTopNOperator(RankOptions(SCHEMA, SCHEMA, (0,), (OrderKey(1),), 10), TYPES)


def batch_of(values: np.ndarray, weight: int) -> Batch:
    arrays = [pa.array(np.zeros(len(values), np.int64)), pa.array(values)]
    return Batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA), np.full(len(values), weight, np.int8))


def measure(make: Callable[[], Operator], size: int, deletes: int, at_once: int) -> float:
    """Return the microseconds of a delete in a key of ``size`` rows."""
    operator = make()
    operator.open(OperatorContext("bench", MemoryStateBackend(), SystemClock(), lambda _: None))
    if isinstance(operator, JoinOperator):
        operator.process(batch_of(np.zeros(1, np.int64), 1), 1)
    values = np.random.default_rng(SEED).permutation(size)
    for start in range(0, size, LOAD_ROWS):
        operator.process(batch_of(values[start : start + LOAD_ROWS], 1))
    gone = [batch_of(values[start : start + at_once], -1) for start in range(0, min(deletes, size), at_once)]
    begin = time.perf_counter()
    for batch in gone:
        operator.process(batch)
    return (time.perf_counter() - begin) / sum(batch.rows for batch in gone) * 1e6


def results(sizes: Sequence[int], deletes: int, repeat: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name, make in (("join", join), ("ranking", ranking)):
        measure(make, 1000, 1000, 100)  # kernels are compiled here
        for size in sizes:
            for at_once in (100, 1):
                taken = [measure(make, size, deletes // (1 if at_once > 1 else 4), at_once) for _ in range(repeat)]
                case = {"case": f"{name}, {at_once} at once", "engine": "fluxcore", "rows": size}
                found.append({**case, "mean_us": round(statistics.median(taken), 2)})
    return found


def main() -> None:
    """Print, and write where asked, the cost of a delete by the number of rows of its key."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--deletes", type=int, default=2_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = results(options.sizes, options.deletes, options.repeat)
    print(f"seed {SEED}, medians of {options.repeat}: microseconds per delete in a key of so many rows")
    for each in found:
        print(f"{each['case']!s:20} {each['rows']:>10,} rows {each['mean_us']:>10} us")
    if options.json:
        options.json.write_text(json.dumps({"results": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
