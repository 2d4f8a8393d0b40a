/* rows by: flink
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
[0, "b"]
[0, "x"]
[1, "quote \" inside"]
[1, "é"]
[2, "a"]
[2, "x"]
[3, "é"]
[3, null]
[4, "x"]
[4, "é"]
[5, "é"]
[5, null]
[6, "a"]
[6, null]
[7, "quote \" inside"]
[7, "é"]
[8, "c"]
[8, "x"]
[9, "x"]
[9, "é"] */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, x FROM events LEFT JOIN LATERAL UNNEST(ARRAY[k, note]) AS t(x) ON TRUE WHERE id < 10;
