/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2024-01-01T00:00:00.000", 10]
["2024-01-01T00:20:00.000", 10]
["2024-01-01T00:40:00.000", 4]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT TUMBLE_START(r, INTERVAL '20' MINUTE), SUM(c) FROM (SELECT TUMBLE_ROWTIME(ts, INTERVAL '10' MINUTE) AS r, COUNT(*) AS c FROM t GROUP BY TUMBLE(ts, INTERVAL '10' MINUTE)) GROUP BY TUMBLE(r, INTERVAL '20' MINUTE);
