/* rows
Flink's own expectations (AggregateITCase: testCountDistinctArrayType); maps are equal whatever the order of their entries.
[2, 2, 1]
[5, 1, 1]
*/
SELECT a, COUNT(DISTINCT b), COUNT(DISTINCT m) FROM (
  VALUES (2, ARRAY[1, 2], MAP['x', 1, 'y', 2]), (2, ARRAY[2, 3], MAP['y', 2, 'x', 1]), (2, ARRAY[1, 2], MAP['x', 1, 'y', 2]), (5, ARRAY[3, 4], MAP['x', 1, 'y', 2])
) AS t(a, b, m)
GROUP BY a;
