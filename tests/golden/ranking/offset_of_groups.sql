/* rows
DuckDB gave these (NULLs last where it says DESC, as Flink has them).
[null, 6]
["b", 12]
*/
-- ordered
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, SUM(n) AS c FROM t GROUP BY k ORDER BY c, k LIMIT 2 OFFSET 1;
