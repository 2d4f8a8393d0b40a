"""The benchmark: answers are compared by a checksum that sees every change, and the JSON has the promised form."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.bench.checksum import checksum
from fluxcore.bench.queries import QUERIES, query_of

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string())])
ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 9)), st.one_of(st.none(), st.text(max_size=3))), max_size=8
)


def batches(rows, cut=100):
    parts = [rows[i : i + cut] for i in range(0, len(rows), cut)]
    return [
        pa.RecordBatch.from_arrays(
            [pa.array([r[i] for r in part], SCHEMA.field(i).type) for i in (0, 1)], schema=SCHEMA
        )
        for part in parts
    ]


@given(ROWS, st.integers(1, 5), st.randoms())
def test_neither_order_nor_batches_matter(rows, cut, random):
    mixed = list(rows)
    random.shuffle(mixed)
    assert checksum(batches(rows), SCHEMA) == checksum(batches(mixed, cut), SCHEMA)


@given(ROWS.filter(bool), st.integers(0, 7))
def test_any_change_of_a_row_matters(rows, at):
    whole = checksum(batches(rows), SCHEMA)
    row = rows[at % len(rows)]
    rest = [each for index, each in enumerate(rows) if index != at % len(rows)]
    assert checksum(batches(rest), SCHEMA) != whole
    assert checksum(batches([*rows, row]), SCHEMA) != whole
    assert checksum(batches([*rest, ((row[0] or 0) + 1, row[1])]), SCHEMA) != whole
    assert checksum(batches([*rest, (row[0], (row[1] or "") + "x")]), SCHEMA) != whole


def test_both_engines_answers_are_cast_to_one_form():
    ours = pa.RecordBatch.from_pydict({"a": pa.array([1], pa.int32()), "b": ["x"]})
    assert checksum([ours], SCHEMA) == checksum(batches([(1, "x")]), SCHEMA)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    command = [
        sys.executable, "-m", "fluxcore.cli.main", "bench", "nexmark", "--queries", "q0,q1,q2,q5", "--events", "50000",
        "--source", "csv", "--versus", "duckdb", "--data", str(folder / "data"), "--json", str(folder / "out.json"),
        "--runs", "1",
    ]  # fmt: skip
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr
    return json.loads((folder / "out.json").read_text()), found.stdout


def test_the_json_has_the_promised_form(results):
    found, _ = results
    assert {(r["query"], r["engine"]) for r in found["results"]} == {
        (query, engine) for query in ("q0", "q1", "q2", "q5") for engine in ("fluxcore", "duckdb")
    }
    for result in found["results"]:
        assert result["source"] == "csv"
        assert result["rows"] == 46_000, "the bids among 50,000 events"
        assert len(result["seconds"]) == 1
        assert result["rows_per_s"] == pytest.approx(result["rows"] / result["seconds"][0], rel=0.01)
        assert result["peak_rss_mb"] > 0


def test_the_table_names_both_engines(results):
    _, shown = results
    for word in ("q0", "q5", "duckdb", "fluxcore"):
        assert word in shown.lower()


def test_latency_is_measured_for_each_window(tmp_path):
    command = [
        sys.executable, "-m", "fluxcore.cli.main", "bench", "latency", "--rate", "2000", "--seconds", "1",
        "--window-ms", "50", "--json", str(tmp_path / "out.json"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert found["windows"] == 19, "all but the one that the end of the input completes"
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    assert "2,000 events/s" in done.stdout


def test_the_bench_names_all_queries():
    for name in QUERIES:
        query = query_of(name)
        assert query.title
        assert query.tables
        assert query.duckdb.lstrip().upper().startswith(("SELECT", "WITH"))
