/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, 3, "none", 3, 3, "high"]
[1, "few", 1, "none", 1, 1, "low"]
[10, "few", null, "d", 2, 10, "low"]
[11, "few", 1, "a", 1, 11, "low"]
[12, "few", null, "b", 2, 12, "low"]
[13, "c", 3, "c", 3, 13, "high"]
[14, "few", null, "none", 14, null, "high"]
[15, "few", null, "b", 15, null, "high"]
[16, "d", 3, "d", 3, 16, "high"]
[17, "c", 4, "c", 4, 17, "high"]
[18, "b", 3, "b", 3, 18, "high"]
[19, "c", 3, "c", 3, 19, "high"]
[2, "few", null, "b", 2, null, "high"]
[20, "few", 1, "none", 1, 20, "low"]
[21, "few", 1, "c", 1, 21, "low"]
[22, "c", 3, "c", 3, 22, "high"]
[23, "few", null, "c", 2, 23, "low"]
[3, "few", 1, "b", 1, 3, "low"]
[4, "few", null, "d", 2, 4, "low"]
[5, "few", 1, "none", 1, 5, "low"]
[6, "few", 1, "b", 1, 6, "low"]
[7, "d", 3, "d", 3, 7, "high"]
[8, "few", null, "d", 2, 8, "low"]
[9, "b", 5, "b", 5, 9, "high"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, IF(n > 2, k, 'few') AS i, NULLIF(n, 2) AS x, IFNULL(k, 'none') AS o, COALESCE(n, id) AS c, GREATEST(id, n) AS g, CASE n WHEN 1, 2 THEN 'low' ELSE 'high' END AS w FROM t;
