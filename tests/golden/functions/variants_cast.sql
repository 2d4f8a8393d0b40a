/* duckdb
SELECT id, k, CAST(n AS BIGINT), CAST(v AS DECIMAL(10, 2)), v > 0, CAST(TRY_CAST(note AS DOUBLE) AS DOUBLE)
FROM read_csv('{data}/events.csv', columns={'id':'BIGINT','k':'VARCHAR','n':'INTEGER','v':'DOUBLE','ts':'TIMESTAMP','note':'VARCHAR'}, header=false, nullstr='')
WHERE id < 300
*/
-- CAST of a part to its type, which Flink has from 2.4 on.
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT CAST(p['id'] AS BIGINT) AS id, CAST(p['k'] AS STRING) AS k, CAST(p['n'] AS BIGINT) AS n, CAST(p['v'] AS DECIMAL(10, 2)) AS v, CAST(p['up'] AS BOOLEAN) AS up,
  TRY_CAST(p['note'] AS DOUBLE) AS note
FROM (SELECT PARSE_JSON(JSON_OBJECT('id' VALUE id, 'k' VALUE k, 'n' VALUE n, 'v' VALUE v, 'up' VALUE v > 0, 'note' VALUE note)) AS p FROM events WHERE id < 300) AS t;
