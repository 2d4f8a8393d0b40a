/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", 1, 2, 2.25]
["b", 7, 7, 4.0]
["c", 6, 4, 10.5625]
["d", 5, 3, 10.5625]
[null, 5, 6, 10.5625]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT LEFT(k, 1) AS f, COUNT(*) AS c, SUM(ABS(n - 3)) AS s, MAX(POWER(v, 2)) AS p FROM t GROUP BY LEFT(k, 1);
