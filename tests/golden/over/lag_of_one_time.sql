/* rows
Flink's own expectations (OverAggregateITCase: testLagFunction): rows of one time are seen together, and LAG counts from the last.
[1, 1, null, null, 10086]
[1, 3, 1, null, 10086]
[1, 4, 4, 3, 3]
[1, 5, 4, 3, 3]
[1, 2, 5, 4, 4]
[1, 6, 2, 5, 5]
[1, 7, 6, 2, 2]
*/
CREATE TABLE t (a INT, b BIGINT, c STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/same_times.csv', 'format' = 'csv');
SELECT a, b, LAG(b) OVER (PARTITION BY a ORDER BY ts), LAG(b, 2) OVER (PARTITION BY a ORDER BY ts), LAG(b, 2, CAST(10086 AS BIGINT)) OVER (PARTITION BY a ORDER BY ts) FROM t;
