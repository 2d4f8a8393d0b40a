/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2024-01-01T00:00:00.000", "2024-01-01T00:10:00.000", null, 4, 1]
["2024-01-01T00:10:00.000", "2024-01-01T00:20:00.000", "b", 6, 1]
["2024-01-01T00:20:00.000", "2024-01-01T00:30:00.000", "c", 3, 1]
["2024-01-01T00:30:00.000", "2024-01-01T00:40:00.000", "c", 7, 1]
["2024-01-01T00:40:00.000", "2024-01-01T00:50:00.000", "c", 6, 1]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT * FROM (SELECT window_start, window_end, k, s, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY s DESC, k) AS r FROM (SELECT window_start, window_end, k, SUM(n) AS s FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE)) GROUP BY window_start, window_end, k)) WHERE r <= 1;
