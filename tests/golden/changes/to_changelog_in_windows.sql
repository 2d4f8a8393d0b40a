/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[4]
[5]
[5]
[5]
[5]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT COUNT(*) FROM TABLE(TUMBLE((SELECT * FROM TO_CHANGELOG(input => TABLE t)), DESCRIPTOR(ts), INTERVAL '10' MINUTE)) GROUP BY window_start, window_end;
