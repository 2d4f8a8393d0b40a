/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2023-12-31T23:57:00.000", 4]
["2024-01-01T00:07:00.000", 5]
["2024-01-01T00:17:00.000", 5]
["2024-01-01T00:27:00.000", 5]
["2024-01-01T00:37:00.000", 5]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE, INTERVAL '-3' MINUTE)) GROUP BY window_start, window_end;
