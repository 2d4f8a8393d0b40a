/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2024-01-01T00:00:00.000", "b", 1, 5]
["2024-01-01T00:00:00.000", "d", 2, 5]
["2024-01-01T00:00:00.000", null, 4, 5]
["2024-01-01T00:10:00.000", "b", 6, 5]
["2024-01-01T00:10:00.000", "d", 5, 5]
["2024-01-01T00:10:00.000", null, 1, 5]
["2024-01-01T00:20:00.000", "a", 1, 5]
["2024-01-01T00:20:00.000", "b", 2, 5]
["2024-01-01T00:20:00.000", "c", 3, 5]
["2024-01-01T00:20:00.000", "d", 2, 5]
["2024-01-01T00:20:00.000", null, null, 5]
["2024-01-01T00:30:00.000", "b", 3, 5]
["2024-01-01T00:30:00.000", "c", 7, 5]
["2024-01-01T00:30:00.000", "d", 3, 5]
["2024-01-01T00:40:00.000", "c", 6, 5]
["2024-01-01T00:40:00.000", null, 1, 5]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, k, SUM(n), (SELECT MAX(m) FROM u) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE)) GROUP BY window_start, window_end, k;
