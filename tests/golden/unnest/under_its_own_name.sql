/* rows by: flink
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
[0, "b", "b"]
[0, "x", "x"]
[1, "quote \" inside", "quote \" inside"]
[1, "é", "é"]
[2, "a", "a"]
[2, "x", "x"]
[3, "é", "é"]
[3, null, null]
[4, "x", "x"]
[4, "é", "é"]
[5, "é", "é"]
[5, null, null]
[6, "a", "a"]
[6, null, null]
[7, "quote \" inside", "quote \" inside"]
[7, "é", "é"]
[8, "c", "c"]
[8, "x", "x"]
[9, "x", "x"]
[9, "é", "é"] */
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, word, word.word AS again FROM events, UNNEST(ARRAY[k, note]) AS word WHERE id < 10;
