/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, 3, 2.0, "2024-01-01T00:00:00.000"]
[1, null, 1, 3.25, "2024-01-01T00:02:00.000"]
[10, "d", 2, 1.5, "2024-01-01T00:20:00.000"]
[11, "a", 1, 1.5, "2024-01-01T00:22:00.000"]
[12, "b", 2, 1.5, "2024-01-01T00:24:00.000"]
[13, "c", 3, 1.5, "2024-01-01T00:26:00.000"]
[14, null, null, 1.5, "2024-01-01T00:28:00.000"]
[15, "b", null, 1.5, "2024-01-01T00:30:00.000"]
[16, "d", 3, 0.5, "2024-01-01T00:32:00.000"]
[17, "c", 4, 1.5, "2024-01-01T00:34:00.000"]
[2, "b", null, 0.5, "2024-01-01T00:04:00.000"]
[3, "b", 1, 2.0, "2024-01-01T00:06:00.000"]
[4, "d", 2, 3.25, "2024-01-01T00:08:00.000"]
[5, null, 1, null, "2024-01-01T00:10:00.000"]
[6, "b", 1, 1.5, "2024-01-01T00:12:00.000"]
[7, "d", 3, 1.5, "2024-01-01T00:14:00.000"]
[8, "d", 2, 0.5, "2024-01-01T00:16:00.000"]
[9, "b", 5, null, "2024-01-01T00:18:00.000"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT t.* FROM t RIGHT JOIN u USING (id);
