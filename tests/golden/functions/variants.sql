/* duckdb
SELECT '"' || k || '"', CAST(n + 1 AS VARCHAR), COUNT(*), 1, COUNT(*)
FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='') GROUP BY k, n
*/
-- JSON of many forms in one column: parts, groups and distinct values of it, and a null of JSON, which counts. Flink's gateway gives no VARIANT, but its text.
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT JSON_STRING(p['k']) AS k, JSON_STRING(p['l'][2]) AS l2, COUNT(*) AS n, COUNT(DISTINCT p['l']) AS d, COUNT(p['note']) AS notes
FROM (SELECT PARSE_JSON(JSON_OBJECT('k' VALUE k, 'l' VALUE ARRAY[n, n + 1], 'note' VALUE note)) AS p FROM events) AS t
GROUP BY p['k'], p['l'][2];
