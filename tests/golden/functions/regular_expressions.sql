/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, 0, null]
[1, null, 2, null]
[10, "2", 2, "#"]
[11, "1", 1, "a"]
[12, "2", 1, "#"]
[13, "3", 1, "#"]
[14, null, 1, null]
[15, null, 1, "#"]
[16, "3", 1, "#"]
[17, "4", 1, "#"]
[18, "3", 1, "#"]
[19, "3", 1, "#"]
[2, null, 2, "#"]
[20, null, 2, null]
[21, "1", 1, "#"]
[22, "3", 1, "#"]
[23, "2", 1, "#"]
[3, "1", 2, "#"]
[4, "2", 2, "#"]
[5, null, 2, null]
[6, "1", 2, "#"]
[7, "3", 2, "#"]
[8, "2", 2, "#"]
[9, "5", 2, "#"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, REGEXP_EXTRACT(k || CAST(n AS STRING), '(?<k>\p{Alpha})(\d)', 2) AS d, REGEXP_COUNT(CAST(id * 1111 AS STRING), '(\d)\1') AS c, REGEXP_REPLACE(k, '[a-z&&[^a]]', '#') AS x FROM t;
