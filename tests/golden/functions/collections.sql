/* rows, by Flink 2.3. Arrays, maps and rows made, taken apart and compared.
[0, 4, null, 3, [4, 3], [4, 4, 3], [3, 4], true, 1, 4, [3], [4, 3, 99], "b-x-z", 1, ["q"], 0, "x", true, false]
[1, 1, null, 3, [1, 3], [3, 1, 1], [3, 1], true, 1, 3, [3], [1, 3, 99], "é-quote \" inside-z", 1, ["q"], 1, "quote \" inside", true, false]
[2, 2, null, 3, [2, 3], [3, 2, 2], [3, 2], true, 1, 3, [3], [2, 3, 99], "a-x-z", 1, ["q"], 2, "x", true, false]
[3, 1, null, 3, [1, 3], [3, 1, 1], [3, 1], true, 1, 3, [3], [1, 3, 99], "é-z", 1, ["q"], 3, null, true, false]
[4, 7, null, 3, [7, 3], [7, 7, 3], [3, 7], true, 1, 7, [3], [7, 3, 99], "é-x-z", 1, ["q"], 4, "x", true, false]
[5, 7, null, 3, [7, 3], [7, 7, 3], [3, 7], true, 1, 7, [3], [7, 3, 99], "é-z", 1, ["q"], 5, null, true, false]
[6, 5, null, 3, [5, 3], [5, 5, 3], [3, 5], true, 1, 5, [3], [5, 3, 99], "a-z", 1, ["q"], 6, null, true, false]
[7, 4, null, 3, [4, 3], [4, 4, 3], [3, 4], true, 1, 4, [3], [4, 3, 99], "é-quote \" inside-z", 1, ["q"], 7, "quote \" inside", true, false]
[8, 2, null, 3, [2, 3], [3, 2, 2], [3, 2], true, 1, 3, [3], [2, 3, 99], "c-x-z", 1, ["q"], 8, "x", true, false]
*/
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, a[1] AS first_one, a[9] AS missing, CARDINALITY(a) AS c, ARRAY_DISTINCT(a) AS d, ARRAY_SORT(a, FALSE) AS s, ARRAY_SLICE(a, -2) AS sl, ARRAY_CONTAINS(a, 3) AS has, ARRAY_POSITION(a, n) AS p, ARRAY_MAX(a) AS m,
  ARRAY_EXCEPT(a, ARRAY[n]) AS e, ARRAY_UNION(a, ARRAY[99]) AS u, ARRAY_JOIN(ARRAY[k, note, 'z'], '-') AS j, MAP[k, n, 'z', 1]['z'] AS z, MAP_KEYS(MAP['q', n]) AS mk, ARRAY[MAP['a', id]][1]['a'] AS ma,
  ARRAY[ROW(n, k), ROW(0, note)][2].EXPR$1 AS f, a = ARRAY[n, 3, n] AS same, ROW(n, k) = ROW(3, 'a') AS r
FROM (SELECT id, k, n, note, ARRAY[n, 3, n] AS a FROM events WHERE id <= 8) AS t;
