"""``fluxcore warm``: compiles kernels by running small jobs that need them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.cli.errors import tell
from fluxcore.connectors.collect import CollectSink
from fluxcore.runtime.kernels import cache_folder, use_cache_folder

if TYPE_CHECKING:
    from fluxcore.api.stream import Stream

_TABLE = """
CREATE TABLE {name} (
  id BIGINT, name STRING, price DOUBLE, amount DECIMAL(10, 2), small INT, ok BOOLEAN, `day` DATE, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{format}');
"""

_QUERIES = """
SELECT * FROM {name};
SELECT name, COUNT(*), COUNT(price), SUM(id), SUM(price), SUM(amount), AVG(price), MIN(id), MAX(price), MIN(price), MAX(id),
  MIN(name), STDDEV_POP(price), FIRST_VALUE(id), LAST_VALUE(price), PERCENTILE(price, 0.5), COUNT(DISTINCT id),
  COUNT(*) FILTER (WHERE ok), APPROX_COUNT_DISTINCT(id), APPROX_PERCENTILE(price, 0.5)
FROM {name} GROUP BY name;
SELECT window_start, window_end, name, id, COUNT(*), SUM(price), AVG(id), STDDEV_SAMP(price), MAX(id), MIN(price), SUM(amount)
FROM TABLE(HOP(TABLE {name}, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end, name, id;
SELECT id, LAG(price) OVER w, SUM(price) OVER w, AVG(id) OVER w, MAX(name) OVER w, SUM(amount) OVER w, STDDEV_POP(price) OVER w
FROM {name} WINDOW w AS (PARTITION BY name ORDER BY ts);
SELECT SUM(price) OVER w, MIN(id) OVER w, COUNT(DISTINCT id) OVER w, COUNT(*) OVER r
FROM {name} WINDOW w AS (PARTITION BY name ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW),
  r AS (PARTITION BY name ORDER BY ts RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW);
SELECT a.window_start, a.n, b.m FROM (
  SELECT window_start, window_end, name, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE {name}, DESCRIPTOR(ts), INTERVAL '2' SECOND))
  GROUP BY window_start, window_end, name
) a JOIN (
  SELECT window_start, window_end, MAX(id) AS m FROM TABLE(TUMBLE(TABLE {name}, DESCRIPTOR(ts), INTERVAL '2' SECOND))
  GROUP BY window_start, window_end
) b ON a.window_start = b.window_start AND a.window_end = b.window_end AND b.m >= a.n;
SELECT a.id, b.name FROM {name} a LEFT JOIN {name} b ON a.id = b.id AND a.price < b.price;
SELECT a.id, b.name FROM {name} a JOIN {name} FOR SYSTEM_TIME AS OF a.ts AS b ON a.name = b.name;
SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY name ORDER BY price DESC) AS r FROM {name}) WHERE r <= 2;
SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY ts DESC) AS r FROM {name}) WHERE r = 1;
SELECT name, SPLIT_INDEX(name, ',', 0), COUNT(*), SUM(price), MAX(id) FROM {name} GROUP BY name, SESSION(ts, INTERVAL '2' SECOND);
"""

_AGING = """
SET 'table.exec.state.ttl' = '1 d';
SELECT MAX(n) FROM (SELECT name, COUNT(*) AS n FROM a GROUP BY name);
"""

_CHANGING = """
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (ORDER BY n DESC) AS place FROM (SELECT name, COUNT(*) AS n FROM {name} GROUP BY name)
) WHERE place <= 2
"""


def warm() -> None:
    """Compile and cache the kernels of reading, aggregating, joining and ranking."""
    use_cache_folder()
    from fluxcore.api.session import Session

    with tempfile.TemporaryDirectory() as folder:
        csv, jsonl = Path(folder) / "a.csv", Path(folder) / "b.jsonl"
        csv.write_text("".join(_csv_row(i) for i in range(40)))
        jsonl.write_text("".join(_json_row(i) for i in range(40)))
        session = Session({"parallelism.default": "2"})
        for name, path, form in (("a", csv, "csv"), ("b", jsonl, "json")):
            session.execute_script(_TABLE.format(name=name, path=path, format=form))
            session.execute_script(_QUERIES.format(name=name), output=lambda _: CollectSink())
            for _ in session.sql(_CHANGING.format(name=name)).batches(changelog=True):
                pass
        session.execute_script(_AGING, output=lambda _: CollectSink())
        _fire_windows(session.table("a"))
    tell(f"kernels are in {cache_folder()}")


def _fire_windows(rows: Stream) -> None:
    """Run windows with triggers, which SQL has no words for."""
    from fluxcore.api.aggregates import count, total
    from fluxcore.api.triggers import continuous, on_delta, on_event_time, purging
    from fluxcore.api.windowing import count_window, global_window
    from fluxcore.api.windows import session, tumble

    time = tumble("ts", "2 s")
    for windowed in (
        rows.window(time, allowed_lateness="2 s", trigger=on_event_time(early=0)),
        rows.window(time, trigger=purging(continuous("1 s"))),
        rows.window(session("ts", gap="1 s"), allowed_lateness="2 s"),
        rows.window(count_window(2, 1)),
        rows.window(global_window(), trigger=on_delta("price", 3)),
    ):
        windowed.group_by("name").agg(n=count(), s=total("price")).to_arrow()


def _csv_row(i: int) -> str:
    quoted = '"a ""b"", c"' if i % 5 == 0 else f"n{i % 3}"
    return (
        f"{i},{quoted},{i * 1.5},{i}.25,{i % 7},{'true' if i % 2 else 'false'},2024-01-02,2024-01-02 03:04:{i:02}.5\n"
    )


def _json_row(i: int) -> str:
    return (
        f'{{"id": {i}, "name": "n\\u00e4{i % 3}", "price": {i * 1.5}, "amount": {i}.25, "small": {i % 7}, '
        f'"ok": {"true" if i % 2 else "false"}, "day": "2024-01-02", "ts": "2024-01-02 03:04:{i:02}.5"}}\n'
    )
