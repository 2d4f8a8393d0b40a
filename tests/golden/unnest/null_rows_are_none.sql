/* rows by: flink
Flink 2.3 gave these, through its SQL gateway at parallelism 1. An element that is a NULL row is left out.
[0, 4, "b"]
[1, 1, "é"]
[2, 2, "a"]
[3, 1, "é"]
[4, 7, "é"]
[5, 7, "é"]
[6, 5, "a"]
[7, 4, "é"]
[8, 2, "c"]
[9, 4, "é"] */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, a, b FROM events, UNNEST(ARRAY[ROW(n, k), CAST(NULL AS ROW<x INT, y STRING>)]) AS t(a, b) WHERE id < 10;
