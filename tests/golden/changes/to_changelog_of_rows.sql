/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["INSERT", 0, "2024-01-01T00:00:00.000"]
["INSERT", 1, "2024-01-01T00:02:00.000"]
["INSERT", 2, "2024-01-01T00:04:00.000"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT op, id, ts FROM TO_CHANGELOG(TABLE t) WHERE id < 3;
