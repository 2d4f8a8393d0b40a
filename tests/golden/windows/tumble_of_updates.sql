/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", "2020-01-01T00:00:00.000", 1, 15, 15, 15, 15, 1]
["b", "2020-01-01T00:00:00.000", 2, 36, 5, 31, 18, 2]
["a", "2020-01-01T00:00:10.000", 1, 8, 8, 8, 8, 1]
["c", "2020-01-01T00:00:20.000", 1, 1, 1, 1, 1, 1]
["c", "2020-01-01T00:00:40.000", 1, 2, 2, 2, 2, 1]
*/
CREATE TABLE t (id INT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '15' SECOND, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '{data}/updates.debezium.jsonl', 'format' = 'debezium-json');
SELECT k, window_start, COUNT(*), SUM(v), MIN(v), MAX(v), AVG(v), COUNT(DISTINCT v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end;
