/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2024-01-01T00:00:00.000", 4, 0]
["2024-01-01T00:00:00.000", 4, 4]
["2024-01-01T00:10:00.000", 6, 7]
["2024-01-01T00:10:00.000", 7, 5]
["2024-01-01T00:10:00.000", 8, 5]
["2024-01-01T00:10:00.000", 9, 7]
["2024-01-01T00:20:00.000", 11, 12]
["2024-01-01T00:20:00.000", 12, 14]
["2024-01-01T00:20:00.000", 13, 11]
["2024-01-01T00:30:00.000", 17, 16]
["2024-01-01T00:30:00.000", 19, 16]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.window_start, a.id, b.id FROM (SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE))) a JOIN (SELECT * FROM TABLE(TUMBLE(TABLE u, DESCRIPTOR(us), INTERVAL '10' MINUTE))) b ON a.k = b.k AND a.window_start = b.window_start AND a.window_end = b.window_end;
