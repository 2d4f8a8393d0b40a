/* rows
By hand: arrays are equal where their elements are; a ROW that was updated is taken back by what it holds.
[[1, 2], 2, 1, [2]]
[[1, 2], 2, 4, [2]]
[[3, 4], 1, 5, [1]]
*/
CREATE VIEW t AS SELECT * FROM (VALUES (1, ARRAY[1, 2]), (2, ARRAY[2, 3]), (4, ARRAY[1, 2]), (5, ARRAY[3, 4])) AS v(a, b);
SELECT x.b, x.n, y.a, ARRAY[x.r.n]
FROM (SELECT b, n, CAST(ROW(n) AS ROW<n BIGINT>) AS r FROM (SELECT b, COUNT(*) AS n FROM t GROUP BY b)) AS x (b, n, r) JOIN t AS y ON x.b = y.b
WHERE y.a <> 2;
