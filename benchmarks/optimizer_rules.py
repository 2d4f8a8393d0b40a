"""Times queries with and without one rule of the optimiser, in turns.

    python benchmarks/optimizer_rules.py [--rows 2000000] [--repeat 5] [--only RULE] [--json FILE]

Three tables as CSV and Parquet: events (key, value, number, text, a time), the same in 100 partitions by the number, and few (a
hundredth of the keys). Results are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

import fluxcore as fx

SEED = 7
CASES = [
    ("strengthen_joins", "SELECT e.v, f.name FROM events AS e LEFT JOIN few AS f ON e.k = f.k WHERE f.name < 'name2'"),
    ("infer_filters", "SELECT e.v, f.name FROM events AS e JOIN few AS f ON e.k = f.k WHERE f.k < 50"),
    ("push_filters", "SELECT v, t FROM events WHERE n = 3"),
    ("drop_empty", "SELECT k, COUNT(*) AS c FROM events WHERE v > 5 AND v < 3 GROUP BY k"),
    ("drop_sorts", "SELECT n, COUNT(*) AS c FROM (SELECT * FROM events ORDER BY v) GROUP BY n"),
    ("drop_distinct", "SELECT DISTINCT k, c FROM (SELECT k, COUNT(*) AS c FROM events GROUP BY k)"),
    ("semi_joins", "SELECT DISTINCT f.k FROM few AS f JOIN events AS e ON e.k = f.k"),
    ("semi_joins", "SELECT DISTINCT e.t FROM events AS e JOIN few AS f ON e.k = f.k"),
    ("semi_joins", "SELECT DISTINCT f.name FROM few AS f JOIN events AS e ON f.k = e.n"),
    ("share_expressions", "SELECT v, REGEXP_EXTRACT(t, 'event ([0-9]*)', 1) AS x FROM events "
     "WHERE REGEXP_EXTRACT(t, 'event ([0-9]*)', 1) <> '7'"),
    ("order_joins", "SELECT a.v, f.name FROM events AS a JOIN events AS b ON a.k = b.k JOIN few AS f ON b.k = f.k "
     "WHERE f.name = 'name7'"),
    ("prune_partitions", "SELECT k, v FROM divided WHERE n BETWEEN 20 AND 29"),
    ("prune_partitions", "SELECT SUM(v) AS s FROM divided WHERE (n = 3 AND v > 10) OR (n = 7 AND v < 5000)"),
    ("read_twice", "SELECT e.v, e.t FROM events AS e JOIN (SELECT n, MAX(v) AS most FROM events GROUP BY n) AS m "
     "ON e.n = m.n AND e.v = m.most"),
    ("push_limits", "SELECT v, t FROM events LIMIT 10"),
    ("prune_columns", "SELECT SUM(v) AS s FROM events"),
    ("drop_watermarks", "SELECT SUM(v) AS s FROM timed"),
    ("slice_windows", "SELECT n, COUNT(*) AS c FROM TABLE(HOP(TABLE timed, DESCRIPTOR(at), INTERVAL '10' SECOND, "
     "INTERVAL '1' MINUTE)) GROUP BY n, window_start, window_end"),
]  # fmt: skip


def write(folder: Path, rows: int) -> None:
    random = np.random.default_rng(SEED)
    keys = max(rows // 4, 1)
    at = pa.array(np.arange(rows) * 10, pa.int64()).cast(pa.timestamp("ms"))
    events = pa.table(
        {
            "k": random.integers(0, keys, rows),
            "v": random.integers(0, 1_000_000, rows),
            "n": random.integers(0, 100, rows),
            "t": pa.array([f"text of the event {i % 5000}" for i in range(rows)]),
            "at": at,
        }
    )
    few = pa.table({"k": np.arange(0, keys, 100), "name": [f"name{i % 50}" for i in range(0, keys, 100)]})
    order = events.sort_by("n")
    start = 0
    for n, count in enumerate(np.bincount(events["n"].to_numpy(), minlength=100)):
        part = order.slice(start, count).drop_columns("n")
        start += count
        for format_ in ("csv", "parquet"):
            place = folder / f"divided.{format_}" / f"n={n}"
            place.mkdir(parents=True)
            if format_ == "csv":
                pc.write_csv(part, place / "part-0", pc.WriteOptions(include_header=False))
            else:
                pq.write_table(part, place / "part-0")
    for name, table in (("events", events), ("few", few)):
        pc.write_csv(table, folder / f"{name}.csv", pc.WriteOptions(include_header=False))
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=200_000)


def session(folder: Path, format_: str, off: str) -> fx.Session:
    made = fx.Session({"fluxcore.optimizer.disabled-rules": off})
    columns = "k BIGINT, v BIGINT, n BIGINT, t STRING, `at` TIMESTAMP(3)"
    source = "WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = '{}')"
    events = source.format(folder / f"events.{format_}", format_)
    made.execute(f"""
        CREATE TABLE events ({columns}) {events};
        CREATE TABLE divided ({columns}) PARTITIONED BY (n)
            {source.format(folder / f"divided.{format_}", format_)};
        CREATE TABLE timed ({columns}, WATERMARK FOR `at` AS `at` - INTERVAL '1' SECOND) {events};
        CREATE TABLE few (k BIGINT, name STRING) {source.format(folder / f"few.{format_}", format_)};
    """)
    return made


def timed(folder: Path, format_: str, off: str, query: str) -> tuple[float, int]:
    made = session(folder, format_, off)
    start = time.perf_counter()
    rows = made.sql(query).to_arrow().num_rows
    return time.perf_counter() - start, rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, options.rows)
        print(f"{options.rows} rows, seed {SEED}, medians of {options.repeat} in turns")
        for rule, query in CASES:
            if options.only not in (None, rule):
                continue
            for format_ in ("csv", "parquet"):
                query_now = query.replace("DESCRIPTOR(at)", "DESCRIPTOR(`at`)")
                times: dict[str, list[float]] = {"": [], rule: []}
                answers = {timed(folder, format_, off, query_now)[1] for off in times}  # and warm the file cache
                assert len(answers) == 1 or rule == "push_limits", answers
                for _ in range(options.repeat):
                    for off, found in times.items():
                        found.append(timed(folder, format_, off, query_now)[0])
                on, without = (statistics.median(each) for each in times.values())
                print(
                    f"{rule:16} {format_:7} with {on:7.3f} s  without {without:7.3f} s  {without / on:6.2f} times  {query}"
                )
                results.append({"case": rule, "source": format_, "rows": options.rows, "engine": "fluxcore",
                                "seconds": times[""], "seconds_without": times[rule], "ratio": without / on})  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=2))


if __name__ == "__main__":
    main()
