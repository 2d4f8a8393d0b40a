/* top ten bids of each auction
duckdb
SELECT auction, bidder, price, channel, url, dateTime, extra,
  row_number() OVER (PARTITION BY auction ORDER BY price DESC, place) AS rank_number
FROM (SELECT *, row_number() OVER () AS place FROM bid)
QUALIFY rank_number <= 10 */
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number
  FROM bid
)
WHERE rank_number <= 10
