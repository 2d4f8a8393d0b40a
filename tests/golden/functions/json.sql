/* rows, by Flink 2.3. JSON read and made; where nothing is found, what is asked for instead.
[0, true, true, true, "b", 5, "none", 5, "[4,5]", "[4]", ["4", "5"], "{\"in\":{\"n\":4,\"note\":\"x\"},\"list\":[0,\"x\"],\"raw\":{\"a\":2,\"b\":1}}", "{\"EXPR$0\":0,\"EXPR$1\":\"b\"}"]
[1, true, true, true, "é", 5, "none", 2, "[1,2]", "[1]", ["1", "2"], "{\"in\":{\"n\":1,\"note\":\"quote \\\" inside\"},\"list\":[1,\"quote \\\" inside\"],\"raw\":{\"a\":2,\"b\":1}}", "{\"EXPR$0\":1,\"EXPR$1\":\"é\"}"]
[2, true, true, true, "a", 5, "none", 3, "[2,3]", "[2]", ["2", "3"], "{\"in\":{\"n\":2,\"note\":\"x\"},\"list\":[2,\"x\"],\"raw\":{\"a\":2,\"b\":1}}", "{\"EXPR$0\":2,\"EXPR$1\":\"a\"}"]
[3, true, true, true, "é", 5, "none", 2, "[1,2]", "[1]", ["1", "2"], "{\"in\":{\"n\":1},\"list\":[3,null],\"raw\":{\"a\":2,\"b\":1}}", "{\"EXPR$0\":3,\"EXPR$1\":\"é\"}"]
[4, true, true, true, "é", 5, "none", 8, "[7,8]", "[7]", ["7", "8"], "{\"in\":{\"n\":7,\"note\":\"x\"},\"list\":[4,\"x\"],\"raw\":{\"a\":2,\"b\":1}}", "{\"EXPR$0\":4,\"EXPR$1\":\"é\"}"]
*/
CREATE TABLE events (id BIGINT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), note STRING, WATERMARK FOR ts AS ts - INTERVAL '10' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/events.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, j IS JSON OBJECT AS o, note IS NOT JSON ARRAY AS a, JSON_EXISTS(j, '$.n' UNKNOWN ON ERROR) AS e, JSON_VALUE(j, '$.k') AS k,
  JSON_VALUE(j, 'lax $.zz' RETURNING INT DEFAULT 5 ON EMPTY) AS d, JSON_VALUE(j, '$.zz' DEFAULT 'none' ON ERROR) AS z, JSON_VALUE(j, '$.l[1]' RETURNING INT NULL ON EMPTY) AS l1,
  JSON_QUERY(j, '$.l') AS l, JSON_QUERY(j, 'lax $.n' WITH CONDITIONAL ARRAY WRAPPER) AS w, JSON_QUERY(j, '$.l' RETURNING ARRAY<STRING> EMPTY ARRAY ON ERROR) AS la,
  JSON_OBJECT(KEY 'in' VALUE JSON_OBJECT('n' VALUE n, 'note' VALUE note ABSENT ON NULL), 'list' VALUE JSON_ARRAY(id, note NULL ON NULL), 'raw' VALUE JSON('{"b":1,"a":2}')) AS made, JSON_STRING(ROW(id, k)) AS r
FROM (SELECT id, k, n, note, JSON_OBJECT('k' VALUE k, 'n' VALUE n, 'l' VALUE ARRAY[n, n + 1]) AS j FROM events WHERE id <= 4) AS t;
