/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, null]
[1, null, null]
[10, "2", "/p"]
[11, "1", "/p"]
[12, "2", "/p"]
[13, "3", "/p"]
[14, null, null]
[15, null, "/p"]
[16, "3", "/p"]
[17, "4", "/p"]
[18, "3", "/p"]
[19, "3", "/p"]
[2, null, "/p"]
[20, null, null]
[21, "1", "/p"]
[22, "3", "/p"]
[23, "2", "/p"]
[3, "1", "/p"]
[4, "2", "/p"]
[5, null, null]
[6, "1", "/p"]
[7, "3", "/p"]
[8, "2", "/p"]
[9, "5", "/p"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, PARSE_URL(CONCAT('http://h.org/p?k=', URL_ENCODE(k), '&n=', CAST(n AS STRING), '#', CAST(id AS STRING)), 'QUERY', 'n') AS n, PARSE_URL(CONCAT('http://h.org/p?k=', URL_ENCODE(k)), 'PATH') AS p FROM t;
