/* duckdb
WITH visits AS (SELECT * FROM read_csv('{data}/visits/day=*[0-9]/city=*[a-z0-9_]/hour=*[0-9]/part-0.csv', columns={'id':'BIGINT','fare':'DOUBLE'}, header=false, nullstr='', hive_partitioning=true, hive_types={'day':'DATE','city':'VARCHAR','hour':'INTEGER'}))
SELECT day, city, count(*), sum(fare) FROM visits WHERE hour BETWEEN 0 AND 10 GROUP BY day, city */
CREATE TABLE visits (city STRING, id BIGINT, `hour` INT, fare DOUBLE, `day` DATE) PARTITIONED BY (`day`, city, `hour`) WITH ('connector' = 'filesystem', 'path' = '{data}/visits', 'format' = 'csv', 'csv.null-literal' = '');
SELECT `day`, city, COUNT(*) AS n, SUM(fare) AS total FROM visits WHERE `hour` BETWEEN 0 AND 10 GROUP BY `day`, city;
