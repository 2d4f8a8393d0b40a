"""The Nexmark queries, in Flink's words and in DuckDB's."""

from __future__ import annotations

BID = """
CREATE TABLE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH ({options});
"""

FLUX = {
    "q0": (
        "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING",
        "SELECT auction, bidder, price, `dateTime`, extra FROM bid",
    ),
    "q1": (
        "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), `dateTime` TIMESTAMP(3), extra STRING",
        "SELECT auction, bidder, 0.908 * price AS price, `dateTime`, extra FROM bid",
    ),
    "q2": ("auction BIGINT, price BIGINT", "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0"),
    "q5": (
        "auction BIGINT, num BIGINT",
        """
        SELECT AuctionBids.auction, AuctionBids.num
        FROM (
          SELECT auction, count(*) AS num, window_start AS starttime, window_end AS endtime
          FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
          GROUP BY auction, window_start, window_end
        ) AS AuctionBids
        JOIN (
          SELECT max(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime
          FROM (
            SELECT count(*) AS num, window_start AS starttime, window_end AS endtime
            FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
            GROUP BY auction, window_start, window_end
          ) AS CountBids
          GROUP BY CountBids.starttime, CountBids.endtime
        ) AS MaxBids
        ON AuctionBids.starttime = MaxBids.starttime AND AuctionBids.endtime = MaxBids.endtime
          AND AuctionBids.num >= MaxBids.maxn
        """,
    ),
}
"""The columns of the sink and the query, as in nexmark/nexmark's ``nexmark-flink``."""

DUCK = {
    "q0": "SELECT auction, bidder, price, dateTime, extra FROM bid",
    "q1": "SELECT auction, bidder, CAST(0.908 * price AS DECIMAL(23, 3)) AS price, dateTime, extra FROM bid",
    "q2": "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    "q5": """
        WITH slices AS (
          SELECT auction, epoch_ms(dateTime) // 2000 AS slice, count(*) AS num FROM bid GROUP BY auction, slice
        ), windows AS (
          SELECT auction, slice - h AS start, sum(num)::BIGINT AS num FROM slices, range(5) r(h) GROUP BY auction, start
        ), best AS (SELECT start, max(num) AS maxn FROM windows GROUP BY start)
        SELECT auction, num FROM windows JOIN best USING (start) WHERE num >= maxn
    """,
}
"""The same answers in DuckDB's SQL; q5 shares slices as a person who wants speed would write it."""

DUCK_SOURCE = {
    "csv": """read_csv('{path}', header=false, auto_detect=false, columns={{'auction': 'BIGINT', 'bidder': 'BIGINT',
      'price': 'BIGINT', 'channel': 'VARCHAR', 'url': 'VARCHAR', 'dateTime': 'TIMESTAMP', 'extra': 'VARCHAR'}})""",
    "json": """read_json('{path}', format='newline_delimited', columns={{'auction': 'BIGINT', 'bidder': 'BIGINT',
      'price': 'BIGINT', 'channel': 'VARCHAR', 'url': 'VARCHAR', 'dateTime': 'TIMESTAMP', 'extra': 'VARCHAR'}})""",
    "parquet": "read_parquet('{path}')",
}
