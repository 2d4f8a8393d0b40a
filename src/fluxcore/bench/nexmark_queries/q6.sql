/* average selling price by seller
Flink can't execute this: OVER takes no updated rows there.
The winning bid of each auction, then the average of each seller's last ten closed auctions.
duckdb
WITH won AS (
  SELECT A.id, A.seller, B.price, B.dateTime,
    row_number() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.dateTime) AS place
  FROM auction A JOIN bid B ON A.id = B.auction WHERE B.dateTime BETWEEN A.dateTime AND A.expires
), numbered AS (
  SELECT seller, id, price, dateTime FROM won WHERE place = 1
)
SELECT seller, sum(price) OVER recent // count(price) OVER recent AS average FROM numbered
WINDOW recent AS (PARTITION BY seller ORDER BY dateTime, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) */
SELECT seller, AVG(price) OVER (PARTITION BY seller ORDER BY `dateTime`, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)
FROM (
  SELECT id, seller, price, bid_time AS `dateTime`
  FROM (
    SELECT A.id, A.seller, B.price, B.`dateTime` AS bid_time,
      ROW_NUMBER() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.`dateTime`) AS place
    FROM auction AS A, bid AS B
    WHERE A.id = B.auction AND B.`dateTime` BETWEEN A.`dateTime` AND A.expires
  )
  WHERE place <= 1
)
