/* duckdb
WITH visits AS (SELECT * FROM read_csv('{data}/visits/day=*[0-9]/city=*[a-z0-9_]/hour=*[0-9]/part-0.csv', columns={'id':'BIGINT','fare':'DOUBLE'}, header=false, nullstr='', hive_partitioning=true, hive_types={'day':'DATE','city':'VARCHAR','hour':'INTEGER'}))
SELECT a.id, b.id FROM visits a JOIN visits b ON a.day = b.day AND a.city = b.city AND a.hour < b.hour WHERE a.city = 'Rome' */
CREATE TABLE visits (city STRING, id BIGINT, `hour` INT, fare DOUBLE, `day` DATE) PARTITIONED BY (`day`, city, `hour`) WITH ('connector' = 'filesystem', 'path' = '{data}/visits', 'format' = 'csv', 'csv.null-literal' = '');
SELECT a.id, b.id AS other FROM visits a JOIN visits b ON a.`day` = b.`day` AND a.city = b.city AND a.`hour` < b.`hour` WHERE a.city = 'Rome';
