/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, "2024-01-01T00:00:00.000"]
[1, "2024-01-01T00:00:00.000"]
[10, "2024-01-01T00:20:00.000"]
[11, "2024-01-01T00:20:00.000"]
[12, "2024-01-01T00:20:00.000"]
[13, "2024-01-01T00:20:00.000"]
[14, "2024-01-01T00:20:00.000"]
[15, "2024-01-01T00:30:00.000"]
[16, "2024-01-01T00:30:00.000"]
[17, "2024-01-01T00:30:00.000"]
[2, "2024-01-01T00:00:00.000"]
[3, "2024-01-01T00:00:00.000"]
[4, "2024-01-01T00:00:00.000"]
[5, "2024-01-01T00:10:00.000"]
[6, "2024-01-01T00:10:00.000"]
[7, "2024-01-01T00:10:00.000"]
[8, "2024-01-01T00:10:00.000"]
[9, "2024-01-01T00:10:00.000"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT t.id, w.window_start FROM t JOIN TABLE(TUMBLE(TABLE u, DESCRIPTOR(us), INTERVAL '10' MINUTE)) w ON t.id = w.id;
