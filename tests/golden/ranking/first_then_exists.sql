/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
["a", 1, 11]
["b", 5, 9]
["c", 4, 17]
["d", 3, 7]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, id FROM (SELECT k, n, id, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM t) AS a WHERE r = 1 AND EXISTS (SELECT 1 FROM u WHERE u.k = a.k);
