/* rows
DuckDB gave these (NULLs last where it says DESC, as Flink has them).
["a", 1, 11, 1]
["b", 3, 18, 2]
["b", 5, 9, 1]
["c", 3, 13, 2]
["c", 3, 19, 3]
["c", 4, 17, 1]
["d", 3, 16, 2]
["d", 3, 7, 1]
[null, 3, 0, 1]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, id, r FROM (SELECT k, n, id, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC, id) AS r FROM t) WHERE r <= n;
