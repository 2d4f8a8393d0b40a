/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 11, 1, 1.5, "2024-01-01T00:22:00.000", null, null, null]
["b", 12, 2, 1.5, "2024-01-01T00:24:00.000", null, null, null]
["b", 15, null, 1.5, "2024-01-01T00:30:00.000", null, null, null]
["b", 18, 3, 0.5, "2024-01-01T00:36:00.000", null, null, null]
["b", 2, null, 0.5, "2024-01-01T00:04:00.000", null, null, null]
["b", 3, 1, 2.0, "2024-01-01T00:06:00.000", null, null, null]
["b", 6, 1, 1.5, "2024-01-01T00:12:00.000", null, null, null]
["b", 9, 5, null, "2024-01-01T00:18:00.000", null, null, null]
["c", 13, 3, 1.5, "2024-01-01T00:26:00.000", null, null, null]
["c", 17, 4, 1.5, "2024-01-01T00:34:00.000", null, null, null]
["c", 19, 3, null, "2024-01-01T00:38:00.000", null, null, null]
["c", 21, 1, 2.0, "2024-01-01T00:42:00.000", null, null, null]
["c", 22, 3, 3.25, "2024-01-01T00:44:00.000", null, null, null]
["c", 23, 2, 3.25, "2024-01-01T00:46:00.000", null, null, null]
["d", 10, 2, 1.5, "2024-01-01T00:20:00.000", null, null, null]
["d", 16, 3, 0.5, "2024-01-01T00:32:00.000", null, null, null]
["d", 4, 2, 3.25, "2024-01-01T00:08:00.000", 5, 0.5, "2024-01-01T00:08:00.000"]
["d", 7, 3, 1.5, "2024-01-01T00:14:00.000", null, null, null]
["d", 8, 2, 0.5, "2024-01-01T00:16:00.000", null, null, null]
[null, 0, 3, 2.0, "2024-01-01T00:00:00.000", null, null, null]
[null, 1, 1, 3.25, "2024-01-01T00:02:00.000", null, null, null]
[null, 14, null, 1.5, "2024-01-01T00:28:00.000", null, null, null]
[null, 20, 1, null, "2024-01-01T00:40:00.000", null, null, null]
[null, 5, 1, null, "2024-01-01T00:10:00.000", null, null, null]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT * FROM t LEFT JOIN u USING (k, id);
