/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2024-01-01T00:00:00.000", "b", 2]
["2024-01-01T00:00:00.000", "d", 1]
["2024-01-01T00:00:00.000", null, 2]
["2024-01-01T00:00:00.000", null, 5]
["2024-01-01T00:10:00.000", "b", 2]
["2024-01-01T00:10:00.000", "d", 2]
["2024-01-01T00:10:00.000", null, 1]
["2024-01-01T00:10:00.000", null, 5]
["2024-01-01T00:20:00.000", "a", 1]
["2024-01-01T00:20:00.000", "b", 1]
["2024-01-01T00:20:00.000", "c", 1]
["2024-01-01T00:20:00.000", "d", 1]
["2024-01-01T00:20:00.000", null, 1]
["2024-01-01T00:20:00.000", null, 5]
["2024-01-01T00:30:00.000", "b", 2]
["2024-01-01T00:30:00.000", "c", 2]
["2024-01-01T00:30:00.000", "d", 1]
["2024-01-01T00:30:00.000", null, 5]
["2024-01-01T00:40:00.000", "c", 3]
["2024-01-01T00:40:00.000", null, 1]
["2024-01-01T00:40:00.000", null, 4]
[null, null, 24]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, k, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE)) GROUP BY ROLLUP (window_start, k);
