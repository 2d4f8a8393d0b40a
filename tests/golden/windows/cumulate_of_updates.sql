/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
["a", "2020-01-01T00:00:05.000", 1, 15]
["b", "2020-01-01T00:00:05.000", 1, 31]
["a", "2020-01-01T00:00:10.000", 1, 15]
["b", "2020-01-01T00:00:10.000", 2, 36]
["a", "2020-01-01T00:00:15.000", 1, 8]
["a", "2020-01-01T00:00:20.000", 1, 8]
["c", "2020-01-01T00:00:25.000", 1, 1]
["c", "2020-01-01T00:00:30.000", 1, 1]
["c", "2020-01-01T00:00:45.000", 1, 2]
["c", "2020-01-01T00:00:50.000", 1, 2]
*/
CREATE TABLE t (id INT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '15' SECOND, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '{data}/updates.debezium.jsonl', 'format' = 'debezium-json');
SELECT k, window_end, COUNT(*), SUM(v) FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end;
