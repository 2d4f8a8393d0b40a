"""All Nexmark queries over a million events out of order, with 1, 2 and 3 workers, beside DuckDB over the same files."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fluxcore.api.session import Session
from fluxcore.bench.checksum import checksum
from fluxcore.bench.engines import arrow_schema
from fluxcore.bench.queries import QUERIES, SIDE_INPUT, duckdb_views, flink_tables, query_of, write_side_input
from fluxcore.connectors.nexmark.config import SCHEMAS, NexmarkConfig
from fluxcore.connectors.nexmark.generator import Generator
from fluxcore.limits import BATCH_ROWS

EVENTS = 1_000_000
DELAY_MS = 4_000
"""The delay of the tables' watermark."""


def table(name):
    """Return all events of a table in the order of their times."""
    generator = Generator(NexmarkConfig(seed=7))
    ranges = range(0, EVENTS, BATCH_ROWS)
    parts = [generator.batch(name, at, min(at + BATCH_ROWS, EVENTS), SCHEMAS[name].names) for at in ranges]
    return pa.Table.from_batches(parts)


def times_of(data):
    return np.asarray(data["dateTime"].combine_chunks().view(pa.int64())) // 1000


def shuffled(data, late_share):
    """Return rows up to 3 s out of order, of which some are so much later that a watermark has passed them.

    ``before`` is the watermark before each row (ms).
    """
    random = np.random.default_rng(5)
    times = times_of(data)
    delays = random.integers(0, DELAY_MS - 1_000, len(times))
    late = random.random(len(times)) < late_share
    delays[late] += random.integers(0, 30_000, int(late.sum()))
    data = data.take(pa.array(np.argsort(times + delays, kind="stable")))
    times = times_of(data)
    before = np.full(len(times), -(2**62))
    before[1:] = np.maximum.accumulate(times)[:-1] - DELAY_MS
    return data.append_column("before", pa.array(before))


@pytest.fixture(scope="module", params=[0.0, 0.01], ids=["out of order", "late rows"])
def paths(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nexmark")
    found = {SIDE_INPUT: write_side_input(folder)}
    for name in SCHEMAS:
        found[name] = folder / name
        found[name].mkdir()
        pq.write_table(shuffled(table(name), request.param), found[name] / "rows.parquet", row_group_size=50_000)
    found["late"] = request.param > 0
    return found


WINDOW = "(epoch_ms({0}.dateTime) // 10000 * 10000 + 10000)"
BIDS = f"SELECT B.* FROM bid B WHERE {WINDOW.format('B')} - 1 > before"
LATE = {
    "q5": """
      WITH counts AS (
        SELECT auction, pane - step AS start, count(*) AS num
        FROM (SELECT auction, epoch_ms(dateTime) // 2000 AS pane, before FROM bid), range(5) AS steps(step)
        WHERE (pane - step) * 2000 + 10000 - 1 > before GROUP BY ALL
      )
      SELECT auction, num FROM counts
      JOIN (SELECT start, max(num) AS maxn FROM counts GROUP BY start) AS highest USING (start) WHERE num >= maxn
    """,
    "q7": f"""
      WITH highest AS (
        SELECT max(price) AS maxprice, {WINDOW.format("bids")} AS closed FROM ({BIDS}) AS bids GROUP BY ALL
      )
      SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra FROM bid B JOIN highest ON B.price = maxprice
      WHERE epoch_ms(B.dateTime) BETWEEN closed - 10000 AND closed
    """,
    "q8": f"""
      SELECT DISTINCT P.id, P.name, make_timestamp(({WINDOW.format("P")} - 10000) * 1000) AS starttime
      FROM person P JOIN auction A ON P.id = A.seller AND {WINDOW.format("P")} = {WINDOW.format("A")}
      WHERE {WINDOW.format("P")} - 1 > P.before AND {WINDOW.format("A")} - 1 > A.before
    """,
}
"""The queries whose windows drop late rows, told by the watermark before each; sessions are tested beside a model."""


def sessions_of(bids):
    """Return q11's answer, found by taking one bid after the other."""
    times = bids["dateTime"].astype("M8[ms]").astype(np.int64)
    open_, closed = {}, []
    for bidder, time, before in zip(bids["bidder"].tolist(), times.tolist(), bids["before"].tolist(), strict=True):
        mine, start, end, count = [], time, time + 10_000, 1
        for each in open_.get(bidder, ()):
            if each[2] - 1 <= before:
                closed.append(each)
            elif each[1] <= time + 10_000 and each[2] >= time:
                start, end, count = min(start, each[1]), max(end, each[2]), count + each[3]
            else:
                mine.append(each)
        if count > 1 or end - 1 > before:  # else it comes too late, and joins nothing that is open
            mine.append((bidder, start, end, count))
        open_[bidder] = mine
    closed += [each for mine in open_.values() for each in mine]
    bidders, starts, ends, counts = (pa.array(column, pa.int64()) for column in zip(*closed, strict=True))
    moments = [pc.multiply(each, 1000).view(pa.timestamp("us")) for each in (starts, ends)]
    return [pa.RecordBatch.from_arrays([bidders, counts, *moments], ["bidder", "count", "start", "end"])]


@pytest.mark.parametrize("name", QUERIES)
def test_the_answer_is_duckdbs(paths, name):
    query, schema = query_of(name), arrow_schema(query_of(name))
    with duckdb.connect() as connection:
        for view in duckdb_views(query, "parquet", paths):
            connection.execute(
                view.replace("SELECT *", "SELECT * EXCLUDE (before)") if _plain(paths, name, view) else view
            )
        if paths["late"] and name == "q11":
            wanted = checksum(
                sessions_of(connection.sql("SELECT bidder, dateTime, before FROM bid").fetchnumpy()), schema
            )
        else:
            asked = LATE.get(name, query.duckdb) if paths["late"] else query.duckdb
            wanted = checksum(connection.sql(asked).to_arrow_table().to_batches(), schema)
    for parallelism in ("1", "2", "3"):
        session = Session({"parallelism.default": parallelism})
        session.execute(flink_tables(query, "parquet", paths))
        found = checksum(session.sql(query.flink).batches(), schema)
        assert found == wanted, f"{parallelism} workers"
    assert wanted[0] > 0


@pytest.mark.parametrize("name", QUERIES)
def test_in_batch_mode_no_row_is_late(paths, name):
    query, schema = query_of(name), arrow_schema(query_of(name))
    with duckdb.connect() as connection:
        for view in duckdb_views(query, "parquet", paths):
            connection.execute(view if SIDE_INPUT in view else view.replace("SELECT *", "SELECT * EXCLUDE (before)"))
        wanted = checksum(connection.sql(query.duckdb).to_arrow_table().to_batches(), schema)
    session = Session({"parallelism.default": "2"}, target="batch")
    session.execute(flink_tables(query, "parquet", paths))
    assert checksum(session.sql(query.flink).batches(), schema) == wanted
    assert wanted[0] > 0


def _plain(paths, name, view):
    """Return whether a view hides the column of watermarks, which ``A.*`` would show."""
    return SIDE_INPUT not in view and not (paths["late"] and name in (*LATE, "q11"))
