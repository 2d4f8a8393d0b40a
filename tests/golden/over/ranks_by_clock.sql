/* rows
Flink's own expectations (OverAggregateITCase: testRankOnOver, testDenseRankOnOver): by the clock no row has a peer.
[1, 1, 1]
[2, 1, 1]
[2, 2, 2]
[3, 1, 1]
[3, 2, 2]
[3, 3, 3]
*/
SELECT a, RANK() OVER (PARTITION BY a ORDER BY PROCTIME()), DENSE_RANK() OVER (PARTITION BY a ORDER BY PROCTIME()) FROM (VALUES (1), (2), (2), (3), (3), (3)) AS t(a);
