"""The Nexmark queries, as nexmark-flink words them for Flink SQL, and as suits DuckDB best.

Each is a file in ``nexmark_queries``: a comment with a title, remarks, a line ``duckdb`` and the same question in DuckDB's
SQL; then Flink SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fluxcore.connectors.nexmark.config import SCHEMAS

FILE_SOURCES = ("csv", "json", "parquet")
SOURCES = (*FILE_SOURCES, "memory")
QUERIES = tuple(f"q{number}" for number in range(23))

SIDE_INPUT = "side_input"
SIDE_INPUT_ROWS = 10_000
WATERMARK = ("dateTime", "4 s")
"""The event time of the tables and how far out of order their rows may come."""

_FOLDER = Path(__file__).with_name("nexmark_queries")
_FORM = re.compile(r"/\* (?P<title>[^\n]+)\n(?P<remarks>.*?)duckdb\n(?P<duckdb>.*?) \*/\n(?P<flink>.*)", re.DOTALL)
_READS = r"\b(FROM|JOIN|TABLE|FROM \w+( AS)? \w+,) {table}\b"


@dataclass(frozen=True)
class Query:
    """One query: ``flink`` is Flink SQL, ``duckdb`` the same for DuckDB, ``tables`` those that it reads."""

    name: str
    title: str
    flink: str
    duckdb: str
    tables: tuple[str, ...]


@cache
def query_of(name: str) -> Query:
    """Return a query by its name, one of :data:`QUERIES`."""
    found = _FORM.fullmatch((_FOLDER / f"{name}.sql").read_text("utf-8"))
    assert found, f"{name}.sql has no head"
    flink = found["flink"].strip()
    tables = tuple(table for table in (*SCHEMAS, SIDE_INPUT) if re.search(_READS.format(table=table), flink))
    return Query(name, found["title"], flink, found["duckdb"].strip(), tables)


def side_input() -> pa.Table:
    """Return the small table that q13 looks up: a text for each key."""
    keys = list(range(SIDE_INPUT_ROWS))
    return pa.table({"key": pa.array(keys, pa.int64()), "value": [f"value {key}" for key in keys]})


def write_side_input(folder: Path) -> Path:
    """Write that table as a Parquet file, unless it is there, and return its folder."""
    place = folder / f"nexmark-side-input-{SIDE_INPUT_ROWS}"
    if not place.is_dir():
        place.mkdir(parents=True)
        pq.write_table(side_input(), place / "part-0.parquet")
    return place


def flink_tables(query: Query, source: str, paths: dict[str, Path]) -> str:
    """Return the CREATE TABLEs of a query's tables over files; nothing for a source in memory."""
    if source not in FILE_SOURCES:
        return ""
    statements = []
    for table in query.tables:
        where = str(paths[table]).replace("'", "''")
        if table == SIDE_INPUT:
            columns, format_ = "key BIGINT, `value` STRING", "parquet"
        else:
            named = (f"`{column.name}` {column.type.sql()}" for column in SCHEMAS[table])
            columns, format_ = ", ".join(named), source
            columns += ", WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND"
        options = f"'connector' = 'filesystem', 'path' = '{where}', 'format' = '{format_}'"
        statements.append(f"CREATE TABLE {table} ({columns}) WITH ({options});\n")
    return "".join(statements)


def duckdb_views(query: Query, source: str, paths: dict[str, Path]) -> list[str]:
    """Return the CREATE VIEWs of a query's tables over files; nothing for a source in memory."""
    if source not in FILE_SOURCES:
        return []
    views = []
    for table in query.tables:
        format_ = "parquet" if table == SIDE_INPUT else source
        quoted = "'" + f"{paths[table]}/*.{format_}".replace("'", "''") + "'"
        reader = _DUCKDB_READERS[format_].format(path=quoted, columns=_duckdb_columns(table))
        views.append(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM {reader}")  # noqa: S608  (the path is quoted)
    return views


def _duckdb_columns(table: str) -> str:
    if table == SIDE_INPUT:
        return ""
    types = ((column.name, column.type.sql()) for column in SCHEMAS[table])
    return "{" + ", ".join(f"'{name}': '{_DUCKDB_TYPES.get(type_, type_)}'" for name, type_ in types) + "}"


_DUCKDB_TYPES = {"STRING": "VARCHAR", "TIMESTAMP(3)": "TIMESTAMP"}
_DUCKDB_READERS = {
    "csv": "read_csv({path}, header = false, auto_detect = false, delim = ',', quote = '', escape = '', "
    "new_line = '\\n', columns = {columns})",
    "json": "read_json({path}, format = 'newline_delimited', columns = {columns})",
    "parquet": "read_parquet({path})",
}
