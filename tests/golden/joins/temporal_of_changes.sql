/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1: an update is a version, a delete ends the last one.
[1, "Euro", 12, 114, "2020-08-15T00:00:01.000"]
[2, "US Dollar", 1, 102, "2020-08-15T00:00:02.000"]
[3, "RMB", 40, 702, "2020-08-15T00:00:04.000"]
[7, "US Dollar", 18, 106, "2020-08-16T00:02:00.000"]
[5, "RMB", 40, null, null]
[4, "Euro", 14, 118, "2020-08-16T00:01:00.000"]
*/
CREATE TABLE o (id BIGINT, currency STRING, amount BIGINT, ot TIMESTAMP(3), WATERMARK FOR ot AS ot - INTERVAL '2' DAY) WITH ('connector' = 'filesystem', 'path' = '{data}/orders.jsonl', 'format' = 'json');
CREATE TABLE r (currency STRING, rate BIGINT, ut TIMESTAMP(3), WATERMARK FOR ut AS ut - INTERVAL '10' SECOND, PRIMARY KEY (currency) NOT ENFORCED) WITH ('connector' = 'filesystem', 'path' = '{data}/rates.debezium.jsonl', 'format' = 'debezium-json');
SELECT o.id, o.currency, o.amount, r.rate, r.ut FROM o LEFT JOIN r FOR SYSTEM_TIME AS OF o.ot ON o.currency = r.currency;
