/* rows by: flink
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
["a", 299]
["a", 52]
["b", 296]
["b", 71]
["c", 298]
["c", 59]
["d", 293]
["d", 62]
["é", 292]
["é", 56] */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, x FROM (SELECT k, CASE WHEN COUNT(*) > 40 THEN ARRAY[COUNT(*), MAX(id)] END AS a FROM events WHERE id < 300 GROUP BY k) LEFT JOIN UNNEST(a) AS t(x) ON TRUE;
