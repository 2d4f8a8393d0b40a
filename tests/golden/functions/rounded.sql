/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, 2.0, 2.0, 2000.0, -1.0, 2.0]
[1, 3.3, 3.2, 3300.0, -1.0, 3.0]
[10, 1.5, 1.5, 1500.0, -1.0, 1.0]
[11, 1.5, 1.5, 1500.0, -1.0, 1.0]
[12, 1.5, 1.5, 1500.0, -1.0, 1.0]
[13, 1.5, 1.5, 1500.0, -1.0, 1.0]
[14, 1.5, 1.5, 1500.0, -1.0, 1.0]
[15, 1.5, 1.5, 1500.0, -1.0, 1.0]
[16, 0.5, 0.5, 500.0, -1.0, 0.0]
[17, 1.5, 1.5, 1500.0, -1.0, 1.0]
[18, 0.5, 0.5, 500.0, -1.0, 0.0]
[19, null, null, null, null, null]
[2, 0.5, 0.5, 500.0, -1.0, 0.0]
[20, null, null, null, null, null]
[21, 2.0, 2.0, 2000.0, -1.0, 2.0]
[22, 3.3, 3.2, 3300.0, -1.0, 3.0]
[23, 3.3, 3.2, 3300.0, -1.0, 3.0]
[3, 2.0, 2.0, 2000.0, -1.0, 2.0]
[4, 3.3, 3.2, 3300.0, -1.0, 3.0]
[5, null, null, null, null, null]
[6, 1.5, 1.5, 1500.0, -1.0, 1.0]
[7, 1.5, 1.5, 1500.0, -1.0, 1.0]
[8, 0.5, 0.5, 500.0, -1.0, 0.0]
[9, null, null, null, null, null]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, ROUND(v, 1) AS r, TRUNCATE(v, 1) AS c, ROUND(v * 1000, -2) AS h, SIGN(v - 5) AS s, FLOOR(v) AS f FROM t;
