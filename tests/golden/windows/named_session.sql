/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2024-01-01T00:00:00.000", null, 2]
["2024-01-01T00:04:00.000", "b", 2]
["2024-01-01T00:08:00.000", "d", 1]
["2024-01-01T00:10:00.000", null, 1]
["2024-01-01T00:12:00.000", "b", 1]
["2024-01-01T00:14:00.000", "d", 3]
["2024-01-01T00:18:00.000", "b", 1]
["2024-01-01T00:22:00.000", "a", 1]
["2024-01-01T00:24:00.000", "b", 1]
["2024-01-01T00:26:00.000", "c", 1]
["2024-01-01T00:28:00.000", null, 1]
["2024-01-01T00:30:00.000", "b", 1]
["2024-01-01T00:32:00.000", "d", 1]
["2024-01-01T00:34:00.000", "c", 5]
["2024-01-01T00:36:00.000", "b", 1]
["2024-01-01T00:40:00.000", null, 1]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, k, COUNT(*) FROM TABLE(SESSION(DATA => TABLE t PARTITION BY k, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
