/* highest bid
duckdb
WITH highest AS (
  SELECT max(price) AS maxprice, epoch_ms(dateTime) // 10000 * 10000 + 10000 AS closed FROM bid GROUP BY ALL
)
SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra FROM bid B JOIN highest ON B.price = maxprice
WHERE epoch_ms(B.dateTime) BETWEEN closed - 10000 AND closed */
SELECT B.auction, B.price, B.bidder, B.`dateTime`, B.extra
FROM bid B
JOIN (
  SELECT MAX(price) AS maxprice, window_end AS `dateTime`
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) B1
ON B.price = B1.maxprice
WHERE B.`dateTime` BETWEEN B1.`dateTime` - INTERVAL '10' SECOND AND B1.`dateTime`
