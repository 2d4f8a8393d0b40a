/* rows, by Flink 2.3. JSON gathered per window, and aggregates that pass NULLs over.
["2024-02-29T23:00:00.000", 4, 2, 2, 2, "{\"0\":\"x\",\"7\":\"quote \\\" inside\"}", "{\"0\":\"x\",\"7\":\"quote \\\" inside\"}", 5, 23, 23, 21]
["2024-02-29T23:00:00.000", 1, 1, 1, 1, "{\"1\":\"quote \\\" inside\"}", "{\"1\":\"quote \\\" inside\"}", 3, 19, 19, 11]
["2024-02-29T23:00:00.000", 5, 0, null, 1, "{\"6\":null}", "{}", 3, 6, 2, 11]
["2024-02-29T23:00:00.000", 2, 2, 2, 2, "{\"2\":\"x\",\"8\":\"x\"}", "{\"2\":\"x\",\"8\":\"x\"}", 5, 9, 9, 21]
["2024-03-01T00:00:00.000", 1, 0, null, 1, "{\"3\":null}", "{}", 3, 6, 2, 11]
["2024-03-01T00:00:00.000", 7, 1, 1, 2, "{\"4\":\"x\",\"5\":null}", "{\"4\":\"x\"}", 5, 10, 5, 21]
["2024-03-01T00:00:00.000", 4, 1, 1, 1, "{\"9\":\"x\"}", "{\"9\":\"x\"}", 3, 5, 5, 11]
*/
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT window_start, n, COUNT(note) AS c, CARDINALITY(ARRAY_AGG(note IGNORE NULLS)) AS a, CARDINALITY(ARRAY_AGG(note)) AS b,
  JSON_OBJECTAGG(KEY CAST(id AS STRING) VALUE note) AS o, JSON_OBJECTAGG(CAST(id AS STRING) VALUE note ABSENT ON NULL) AS oa,
  CHAR_LENGTH(JSON_ARRAYAGG(id)) AS l, CHAR_LENGTH(JSON_ARRAYAGG(note NULL ON NULL)) AS wn, CHAR_LENGTH(JSON_ARRAYAGG(note)) AS la, CHAR_LENGTH(JSON_ARRAYAGG(JSON_OBJECT('k' VALUE k))) AS f
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' HOUR)) WHERE id < 10 GROUP BY window_start, window_end, n;
