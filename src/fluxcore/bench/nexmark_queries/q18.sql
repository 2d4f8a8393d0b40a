/* last bid of each bidder on each auction
Of bids at the same millisecond the later in the file counts, as Flink keeps the last that it sees.
duckdb
SELECT auction, bidder, price, channel, url, dateTime, extra
FROM (SELECT *, row_number() OVER () AS place FROM bid)
QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC, place DESC) = 1 */
SELECT auction, bidder, price, channel, url, `dateTime`, extra
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY `dateTime` DESC) AS rank_number
  FROM bid
)
WHERE rank_number <= 1
