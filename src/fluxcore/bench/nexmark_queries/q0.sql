/* pass through
duckdb
SELECT auction, bidder, price, dateTime, extra FROM bid */
SELECT auction, bidder, price, `dateTime`, extra FROM bid
