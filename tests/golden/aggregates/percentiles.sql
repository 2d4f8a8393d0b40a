/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
["a", 1.5, 2.0, [1.0, 2.0, 2.0], [1.5]]
["b", 6.5, 3.0, [3.0, 3.0, 3.0], [6.5]]
["c", 7.0, null, null, [7.0]]
*/
SELECT k, PERCENTILE(v, 0.5), PERCENTILE(v, 0.9, w), PERCENTILE(v, ARRAY[0.0, 0.5, 1.0], w), PERCENTILE(v, ARRAY[0.5])
FROM (VALUES (1, 1, 'a'), (2, 3, 'a'), (3, 1, 'b'), (10, 0, 'b'), (CAST(NULL AS INT), 5, 'b'), (7, CAST(NULL AS INT), 'c')) AS t(v, w, k)
GROUP BY k;
