/* rows
Flink 2.3 gave these, through its SQL gateway at parallelism 1.
[101, "scooter", "Small 2-wheel scooter", "3.14"]
[103, "hammer", "14oz", "1"]
[104, "rock", "box", "5.1"]
*/
CREATE TABLE p (id INT NOT NULL, name STRING, description STRING, weight DECIMAL(10, 3)) WITH ('connector' = 'filesystem', 'path' = '{data}/products.debezium.jsonl', 'format' = 'debezium-json');
SELECT * FROM p;
