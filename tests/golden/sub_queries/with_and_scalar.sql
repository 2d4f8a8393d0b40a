/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["b", 12]
["c", 16]
["d", 12]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
WITH big AS (SELECT k, SUM(n) AS s FROM t GROUP BY k) SELECT * FROM big WHERE s > (SELECT AVG(s) FROM big);
