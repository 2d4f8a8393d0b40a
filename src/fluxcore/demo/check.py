"""Compares every answer with DuckDB's over the same rows.

The late rows of each window are taken out by the same rule, told in DuckDB's own SQL: the watermark before a row is the
largest event time of the rows before it in the file, minus two hours; a window has fired when that is at least its end
minus a millisecond. How many rows were late is compared too. Nothing of the engine is used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

_INPUT = """
CREATE TABLE {name} AS
WITH numbered AS (SELECT *, row_number() OVER () AS line FROM read_csv('{path}', header=true, nullstr='', types={types}))
SELECT *, max(event_time) OVER (ORDER BY line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - INTERVAL 2 HOUR AS mark
FROM numbered
"""

_TYPES = {
    "flights": "{'event_time': 'TIMESTAMP', 'happened': 'TIMESTAMP', 'tailnum': 'VARCHAR', 'dep_delay': 'DOUBLE', 'flight': 'INTEGER'}",
    "weather": "{'event_time': 'TIMESTAMP', 'temp': 'DOUBLE', 'wind_speed': 'DOUBLE', 'precip': 'DOUBLE', 'visib': 'DOUBLE'}",
}

_FIRED = "coalesce(mark >= {end} - INTERVAL 1 MILLISECOND, false)"

_VIEWS = """
CREATE VIEW flight_hours AS SELECT *, date_trunc('hour', event_time) AS s FROM flights;
CREATE VIEW weather_hours AS SELECT *, date_trunc('hour', event_time) AS s FROM weather;
CREATE VIEW flight_days AS
  SELECT f.*, date_trunc('hour', event_time) - to_hours(h) AS s FROM flights f, range(24) r(h) WHERE dep_delay IS NOT NULL;
CREATE VIEW hours AS
  SELECT s, s + INTERVAL 1 HOUR AS e, origin, count(dep_delay) AS departures, count(*) - count(dep_delay) AS cancelled,
    avg(dep_delay) AS mean_delay, quantile_cont(dep_delay, 0.95) AS p95_delay
  FROM flight_hours WHERE NOT {hour} GROUP BY s, origin;
"""

ANSWERS = {
    "hourly": "SELECT s, e, origin, departures, cancelled, mean_delay, p95_delay FROM hours",
    "worst_routes": """
      WITH g AS (
        SELECT s, s + INTERVAL 24 HOUR AS e, origin, dest, count(*) AS flights, avg(dep_delay) AS mean_delay
        FROM flight_days WHERE NOT {day} GROUP BY s, origin, dest HAVING count(*) >= 10
      )
      SELECT s, e, row_number() OVER (PARTITION BY s ORDER BY mean_delay DESC, origin, dest) AS place, origin, dest, flights,
        mean_delay
      FROM g QUALIFY place <= 3
    """,
    "delays_and_weather": """
      WITH w AS (
        SELECT s, origin, avg(temp) AS temp, max(wind_speed) AS wind_speed, max(precip) AS precip, min(visib) AS visib
        FROM weather_hours WHERE NOT {hour} GROUP BY s, origin
      )
      SELECT h.s, h.origin, departures, mean_delay, temp, wind_speed, precip, visib
      FROM hours h JOIN w ON h.s = w.s AND h.origin = w.origin
    """,
    "twice_late": """
      WITH o AS (
        SELECT *, lag(dep_delay) OVER (PARTITION BY tailnum ORDER BY event_time, line) AS previous_delay
        FROM flights WHERE dep_delay IS NOT NULL AND tailnum IS NOT NULL AND (mark IS NULL OR event_time > mark)
      )
      SELECT event_time, tailnum, carrier, flight, origin, dest, previous_delay, dep_delay FROM o
      WHERE dep_delay > 60 AND previous_delay > 60
    """,
}
"""The same questions in DuckDB's SQL, by the name of the answer's table."""

LATE = {
    "WindowAggregate(TUMBLE, flights)": "SELECT count(*) FROM flight_hours WHERE {hour}",
    "WindowAggregate(TUMBLE, weather)": "SELECT count(*) FROM weather_hours WHERE {hour}",
    "WindowAggregate(HOP, flights)": "SELECT count(DISTINCT line) FROM flight_days WHERE {day}",
    "Over(flights)": "SELECT count(*) FROM flights WHERE dep_delay IS NOT NULL AND tailnum IS NOT NULL AND event_time <= mark",
}
"""How many rows were late, by the name of the operator that dropped them."""


@dataclass(frozen=True)
class Verdict:
    """One comparison: how many rows (or late rows) each side has, and examples of rows that only one side has."""

    name: str
    ours: int
    theirs: int
    only_ours: tuple[tuple[object, ...], ...] = ()
    only_theirs: tuple[tuple[object, ...], ...] = ()

    @property
    def equal(self) -> bool:
        """Return whether both sides agree."""
        return self.ours == self.theirs and not self.only_ours and not self.only_theirs


def compare(work: Path, late: dict[str, int]) -> list[Verdict]:
    """Return a verdict for each answer below ``work`` and each operator's number of late rows."""
    connection = duckdb.connect()
    for name, types in _TYPES.items():
        connection.execute(_INPUT.format(name=name, path=work / "input" / f"{name}.csv", types=types))
    fired = {"hour": _FIRED.format(end="s + INTERVAL 1 HOUR"), "day": _FIRED.format(end="s + INTERVAL 24 HOUR")}
    connection.execute(_VIEWS.format(**fired))
    verdicts = [_answer(connection, work, name, query.format(**fired)) for name, query in ANSWERS.items()]
    for name, query in LATE.items():
        found = connection.execute(query.format(**fired)).fetchone()
        assert found is not None
        verdicts.append(Verdict(f"late rows of {name}", late.get(name, -1), int(found[0])))
    return verdicts


def _answer(connection: duckdb.DuckDBPyConnection, work: Path, name: str, query: str) -> Verdict:
    """Compare an answer as a multiset; doubles to nine digits."""
    connection.execute(f"CREATE TABLE theirs_{name} AS {query}")
    columns = connection.execute(f"DESCRIBE theirs_{name}").fetchall()
    rounded = ", ".join(_rounded(column, kind) for column, kind, *_ in columns)
    files = str(work / "answers" / name / "*")
    names = ", ".join(f'"{column}"' for column, *_ in columns)
    connection.execute(
        f"CREATE TABLE ours_{name} AS SELECT * FROM read_parquet('{files}') AS t({names})"  # noqa: S608  (our own names)
    )
    sides = []
    for one, other in (("ours", "theirs"), ("theirs", "ours")):
        difference = (
            f"SELECT {rounded} FROM {one}_{name} EXCEPT ALL SELECT {rounded} FROM {other}_{name} ORDER BY ALL LIMIT 5"  # noqa: S608
        )
        sides.append(tuple(tuple(row) for row in connection.execute(difference).fetchall()))
    counts = [
        int(connection.execute(f"SELECT count(*) FROM {side}_{name}").fetchall()[0][0])  # noqa: S608
        for side in ("ours", "theirs")
    ]
    return Verdict(name, counts[0], counts[1], sides[0], sides[1])


def _rounded(column: str, kind: str) -> str:
    return f"printf('%.9e', \"{column}\" + 0.0)" if kind == "DOUBLE" else f'"{column}"'
