/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1 (pipeline.auto-watermark-interval=0).
[0, null, null, "3", "0", null]
[1, null, null, "1", "1", null]
[10, "8277e0910d750195b448797616e091ad", "06c9f71496e24dec6acc44895648cf9ec40b5cebb7bc4858a3c69f25", "2", "1010", "d"]
[11, "0cc175b9c0f1b6a831c399e269772661", "abd37534c7d9a2efb9465de931cd7055ffdb8879563ae98078d6d6d5", "1", "1011", "a"]
[12, "92eb5ffee6ae2fec3ad71c777531578f", "c681e18b81edaf2b66dd22376734dba5992e362bc3f91ab225854c17", "2", "1100", "b"]
[13, "4a8a08f09d37b73795649038408b5f33", "1053463d383dc1e87f06fff34b3c6a2d340d91e184d46d70144ffa5a", "3", "1101", "c"]
[14, null, null, null, "1110", null]
[15, "92eb5ffee6ae2fec3ad71c777531578f", "c681e18b81edaf2b66dd22376734dba5992e362bc3f91ab225854c17", null, "1111", "b"]
[16, "8277e0910d750195b448797616e091ad", "06c9f71496e24dec6acc44895648cf9ec40b5cebb7bc4858a3c69f25", "3", "10000", "d"]
[17, "4a8a08f09d37b73795649038408b5f33", "1053463d383dc1e87f06fff34b3c6a2d340d91e184d46d70144ffa5a", "4", "10001", "c"]
[18, "92eb5ffee6ae2fec3ad71c777531578f", "c681e18b81edaf2b66dd22376734dba5992e362bc3f91ab225854c17", "3", "10010", "b"]
[19, "4a8a08f09d37b73795649038408b5f33", "1053463d383dc1e87f06fff34b3c6a2d340d91e184d46d70144ffa5a", "3", "10011", "c"]
[2, "92eb5ffee6ae2fec3ad71c777531578f", "c681e18b81edaf2b66dd22376734dba5992e362bc3f91ab225854c17", null, "10", "b"]
[20, null, null, "1", "10100", null]
[21, "4a8a08f09d37b73795649038408b5f33", "1053463d383dc1e87f06fff34b3c6a2d340d91e184d46d70144ffa5a", "1", "10101", "c"]
[22, "4a8a08f09d37b73795649038408b5f33", "1053463d383dc1e87f06fff34b3c6a2d340d91e184d46d70144ffa5a", "3", "10110", "c"]
[23, "4a8a08f09d37b73795649038408b5f33", "1053463d383dc1e87f06fff34b3c6a2d340d91e184d46d70144ffa5a", "2", "10111", "c"]
[3, "92eb5ffee6ae2fec3ad71c777531578f", "c681e18b81edaf2b66dd22376734dba5992e362bc3f91ab225854c17", "1", "11", "b"]
[4, "8277e0910d750195b448797616e091ad", "06c9f71496e24dec6acc44895648cf9ec40b5cebb7bc4858a3c69f25", "2", "100", "d"]
[5, null, null, "1", "101", null]
[6, "92eb5ffee6ae2fec3ad71c777531578f", "c681e18b81edaf2b66dd22376734dba5992e362bc3f91ab225854c17", "1", "110", "b"]
[7, "8277e0910d750195b448797616e091ad", "06c9f71496e24dec6acc44895648cf9ec40b5cebb7bc4858a3c69f25", "3", "111", "d"]
[8, "8277e0910d750195b448797616e091ad", "06c9f71496e24dec6acc44895648cf9ec40b5cebb7bc4858a3c69f25", "2", "1000", "d"]
[9, "92eb5ffee6ae2fec3ad71c777531578f", "c681e18b81edaf2b66dd22376734dba5992e362bc3f91ab225854c17", "5", "1001", "b"]
*/
CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE) WITH ('connector' = 'filesystem', 'path' = '{data}/left.csv', 'format' = 'csv', 'csv.null-literal' = '');
SELECT id, MD5(k) AS m, SHA2(k, 224) AS s, HEX(n) AS h, BIN(id) AS b, FROM_BASE64(TO_BASE64(k)) AS t FROM t;
