/* rows
Flink 2.3 gave the counts and sums; the heavy ones by hand.
[3, "9.24", 2]
*/
CREATE TABLE p (id INT NOT NULL, name STRING, description STRING, weight DECIMAL(10, 3), heavy AS weight > 2, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '{data}/products.debezium.jsonl', 'format' = 'debezium-json');
SELECT COUNT(*), SUM(weight), COUNT(*) FILTER (WHERE heavy) FROM p;
