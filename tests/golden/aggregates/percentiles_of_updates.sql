/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
[[3.0], 3.0, "0"]
*/
SELECT PERCENTILE(s, ARRAY[0.5], n), PERCENTILE(s, 0.1, n), VAR_POP(CAST(s AS DECIMAL(10, 1)))
FROM (SELECT k, SUM(v) AS s, COUNT(*) AS n FROM (VALUES (1, 'a'), (2, 'a'), (3, 'b')) AS t(v, k) GROUP BY k);
