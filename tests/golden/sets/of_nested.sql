/* rows
By hand: UNION gives different rows, and rows with arrays, maps and NULLs in them are equal by what they hold.
[[1, 2], {"a": 1, "b": 2}]
[[1, null], {"a": 1, "b": 2}]
[null, {"a": 1, "b": 2}]
[[], {"a": 1, "b": 2}]
*/
SELECT ARRAY[1, 2] AS a, MAP['a', 1, 'b', 2] AS m
UNION SELECT ARRAY[1, 2], MAP['b', 2, 'a', 1]
UNION SELECT ARRAY[1, CAST(NULL AS INT)], MAP['b', 2, 'a', 1]
UNION SELECT CAST(NULL AS ARRAY<INT>), MAP['b', 2, 'a', 1]
UNION SELECT ARRAY_REMOVE(ARRAY[1], 1), MAP['b', 2, 'a', 1]
UNION SELECT ARRAY[1, 2], MAP['a', 1, 'b', 2];
