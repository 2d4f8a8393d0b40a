/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[13, "c"]
[4, "d"]
[9, "b"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, k FROM t WHERE n > 1 QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY id) = 1 AND id > 3;
