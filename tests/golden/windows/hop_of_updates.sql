/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["2019-12-31T23:59:55.000", 2, 46, 15, 31, 23, 2]
["2020-01-01T00:00:00.000", 3, 51, 5, 31, 17, 3]
["2020-01-01T00:00:05.000", 2, 13, 5, 8, 6, 2]
["2020-01-01T00:00:10.000", 1, 8, 8, 8, 8, 1]
["2020-01-01T00:00:15.000", 1, 1, 1, 1, 1, 1]
["2020-01-01T00:00:20.000", 1, 1, 1, 1, 1, 1]
["2020-01-01T00:00:35.000", 1, 2, 2, 2, 2, 1]
["2020-01-01T00:00:40.000", 1, 2, 2, 2, 2, 1]
*/
CREATE TABLE t (id INT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '15' SECOND, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '{data}/updates.debezium.jsonl', 'format' = 'debezium-json');
SELECT window_start, COUNT(*), SUM(v), MIN(v), MAX(v), AVG(v), COUNT(DISTINCT v) FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
