/* monitor new users
duckdb
SELECT DISTINCT P.id, P.name, make_timestamp(epoch_ms(P.dateTime) // 10000 * 10000000) AS starttime
FROM person P JOIN auction A ON P.id = A.seller AND epoch_ms(P.dateTime) // 10000 = epoch_ms(A.dateTime) // 10000 */
SELECT P.id, P.name, P.starttime
FROM (
  SELECT id, name, window_start AS starttime, window_end AS endtime
  FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY id, name, window_start, window_end
) P
JOIN (
  SELECT seller, window_start AS starttime, window_end AS endtime
  FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY seller, window_start, window_end
) A
ON P.id = A.seller AND P.starttime = A.starttime AND P.endtime = A.endtime
