/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, "0003", "", null]
[1, null, "0001", "", null]
[10, "D", "0002", "-2", "01d"]
[11, "A", "0001", "-1", "11a"]
[12, "B", "0002", "-2", "21b"]
[13, "C", "0003", "-3", "31c"]
[14, null, null, "", null]
[15, "B", null, "", "51b"]
[16, "D", "0003", "-3", "61d"]
[17, "C", "0004", "-4", "71c"]
[18, "B", "0003", "-3", "81b"]
[19, "C", "0003", "-3", "91c"]
[2, "B", null, "", "2b"]
[20, null, "0001", "", null]
[21, "C", "0001", "-1", "12c"]
[22, "C", "0003", "-3", "22c"]
[23, "C", "0002", "-2", "32c"]
[3, "B", "0001", "-1", "3b"]
[4, "D", "0002", "-2", "4d"]
[5, null, "0001", "", null]
[6, "B", "0001", "-1", "6b"]
[7, "D", "0003", "-3", "7d"]
[8, "D", "0002", "-2", "8d"]
[9, "B", "0005", "-5", "9b"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, UPPER(k) AS u, LPAD(CAST(n AS STRING), 4, '0') AS p, SUBSTRING(CONCAT_WS('-', k, CAST(n AS STRING)), 2) AS s, REVERSE(k || CAST(id AS STRING)) AS r FROM t;
