"""The Nexmark queries, as nexmark-flink words them for Flink SQL, and as suits DuckDB best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pathlib import Path

FILE_SOURCES = ("csv", "json", "parquet")
SOURCES = (*FILE_SOURCES, "memory")


@dataclass(frozen=True)
class Query:
    """One query over the table ``bid``.

    ``flink`` is Flink SQL, ``duckdb`` the same for DuckDB, ``sink`` the columns of the result for ``CREATE TABLE``, and
    ``result`` their Arrow types, to which both answers are cast before they are compared.
    """

    name: str
    title: str
    sink: str
    flink: str
    duckdb: str
    result: pa.Schema


def _result(**types: pa.DataType) -> pa.Schema:
    return pa.schema(list(types.items()))


_TIME = pa.timestamp("us")

_HOT_ITEMS = """
SELECT AuctionBids.auction, AuctionBids.num
FROM (
  SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end
) AS AuctionBids
JOIN (
  SELECT MAX(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime
  FROM (
    SELECT COUNT(*) AS num, window_start AS starttime, window_end AS endtime
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
  ) AS CountBids
  GROUP BY CountBids.starttime, CountBids.endtime
) AS MaxBids
ON AuctionBids.starttime = MaxBids.starttime AND AuctionBids.endtime = MaxBids.endtime
  AND AuctionBids.num >= MaxBids.maxn
"""

# Counts per 2-second pane first, then each pane in its five windows: what FluxCore's plan does, and quicker than HOP's rows.
_HOT_ITEMS_DUCKDB = """
WITH panes AS (
  SELECT auction, epoch_ms(dateTime) // 2000 AS pane, count(*) AS bids FROM bid GROUP BY ALL
), counts AS (
  SELECT auction, pane - step AS start, sum(bids)::BIGINT AS num FROM panes, range(5) AS steps(step) GROUP BY ALL
)
SELECT auction, num FROM counts
JOIN (SELECT start, max(num) AS maxn FROM counts GROUP BY start) AS highest USING (start)
WHERE num >= maxn
"""

QUERIES: dict[str, Query] = {
    query.name: query
    for query in (
        Query(
            "q0",
            "pass through",
            "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING",
            "SELECT auction, bidder, price, `dateTime`, extra FROM bid",
            "SELECT auction, bidder, price, dateTime, extra FROM bid",
            _result(auction=pa.int64(), bidder=pa.int64(), price=pa.int64(), dateTime=_TIME, extra=pa.string()),
        ),
        Query(
            "q1",
            "currency conversion",
            "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), `dateTime` TIMESTAMP(3), extra STRING",
            "SELECT auction, bidder, 0.908 * price AS price, `dateTime`, extra FROM bid",
            "SELECT auction, bidder, 0.908 * price AS price, dateTime, extra FROM bid",
            _result(
                auction=pa.int64(), bidder=pa.int64(), price=pa.decimal128(23, 3), dateTime=_TIME, extra=pa.string()
            ),
        ),
        Query(
            "q2",
            "selection",
            "auction BIGINT, price BIGINT",
            "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0",
            "SELECT auction, price FROM bid WHERE auction % 123 = 0",
            _result(auction=pa.int64(), price=pa.int64()),
        ),
        Query(
            "q5",
            "hot items",
            "auction BIGINT, num BIGINT",
            _HOT_ITEMS,
            _HOT_ITEMS_DUCKDB,
            _result(auction=pa.int64(), num=pa.int64()),
        ),
    )
}

WATERMARK = ("dateTime", "4 s")
"""The event time of ``bid`` and how far out of order its rows may come."""

_BID = """CREATE TABLE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{format}');
"""

_DUCKDB_COLUMNS = (
    "{'auction': 'BIGINT', 'bidder': 'BIGINT', 'price': 'BIGINT', 'channel': 'VARCHAR', 'url': 'VARCHAR', "
    "'dateTime': 'TIMESTAMP', 'extra': 'VARCHAR'}"
)
_DUCKDB_READERS = {
    "csv": "read_csv({path}, header = false, auto_detect = false, delim = ',', quote = '', escape = '', "
    "new_line = '\\n', columns = {columns})",
    "json": "read_json({path}, format = 'newline_delimited', columns = {columns})",
    "parquet": "read_parquet({path})",
}


def flink_tables(source: str, path: Path | None) -> str:
    """Return the CREATE TABLE of ``bid`` over files; nothing for a source in memory."""
    if source not in FILE_SOURCES:
        return ""
    return _BID.format(path=str(path).replace("'", "''"), format=source)


def flink_insert(query: Query) -> str:
    """Return the statements that put a query's rows into a blackhole, which asks for every column."""
    sink = f"nexmark_{query.name}"
    table = f"CREATE TABLE {sink} ({query.sink}) WITH ('connector' = 'blackhole');\n"
    return f"{table}INSERT INTO {sink}\n{query.flink.strip()};\n"


def duckdb_view(source: str, path: Path | None) -> str:
    """Return the CREATE VIEW of ``bid`` over files; nothing for a source in memory."""
    if source not in FILE_SOURCES:
        return ""
    quoted = "'" + f"{path}/*.{source}".replace("'", "''") + "'"
    reader = _DUCKDB_READERS[source].format(path=quoted, columns=_DUCKDB_COLUMNS)
    return f"CREATE VIEW bid AS SELECT * FROM {reader}"  # noqa: S608  (the path is quoted, the rest is ours)
