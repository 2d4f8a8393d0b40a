/* rows
DuckDB gave these (NULLs last where it says DESC, as Flink has them).
["a", 1, 11]
["b", 5, 9]
["c", 4, 17]
["d", 3, 7]
[null, 3, 0]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT k, n, id FROM (SELECT k, n, id, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC, id) AS r FROM t) AS a WHERE r = 1;
