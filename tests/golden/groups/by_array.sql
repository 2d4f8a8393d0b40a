/* rows
Flink's own expectations for arrays as keys (AggregateITCase: testGroupByArrayType), asked of rows of its data.
[[1, 2], 5, 2]
[[2, 3], 2, 1]
[[3, 4], 5, 1]
[null, 7, 1]
*/
SELECT b, SUM(a), COUNT(*) FROM (VALUES (1, ARRAY[1, 2]), (2, ARRAY[2, 3]), (4, ARRAY[1, 2]), (5, ARRAY[3, 4]), (7, CAST(NULL AS ARRAY<INT>))) AS t(a, b)
GROUP BY b;
