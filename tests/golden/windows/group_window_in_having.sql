/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1]
["b", 1]
["b", 2]
["b", 2]
["c", 1]
["c", 2]
["c", 3]
["d", 1]
["d", 1]
["d", 2]
[null, 1]
[null, 1]
[null, 1]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, COUNT(*) FROM t GROUP BY k, TUMBLE(ts, INTERVAL '10' MINUTE) HAVING TUMBLE_START(ts, INTERVAL '10' MINUTE) > TIMESTAMP '2024-01-01 00:05:00';
