/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[10, 6]
[11, 5]
[12, 7]
[13, 12]
[15, 7]
[16, 6]
[17, 12]
[18, 7]
[19, 12]
[2, 7]
[21, 12]
[22, 12]
[23, 12]
[3, 7]
[4, 6]
[6, 7]
[7, 6]
[8, 6]
[9, 7]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
CREATE TABLE u (id INT, k STRING, m INT, w DOUBLE, us TIMESTAMP(3), WATERMARK FOR us AS us - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/right.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT x.id, y.c FROM t AS x, LATERAL (SELECT k, SUM(m) AS c FROM u WHERE u.k = x.k GROUP BY k) AS y;
