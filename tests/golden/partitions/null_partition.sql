/* duckdb
WITH guests AS (SELECT * FROM read_csv('{data}/guests/city=*[a-z_A-Z]/n=*[0-9]/part-0.csv', columns={'id':'BIGINT','fare':'DOUBLE'}, header=false, hive_partitioning=true, hive_types={'city':'VARCHAR','n':'INTEGER'}))
SELECT id, city, n FROM guests WHERE (city IS NULL AND fare > 1) OR city = 'Rome' */
CREATE TABLE guests (id BIGINT, fare DOUBLE, city STRING, n INT) PARTITIONED BY (city, n) WITH ('connector' = 'filesystem', 'path' = '{data}/guests', 'format' = 'csv');
SELECT id, city, n FROM guests WHERE (city IS NULL AND fare > 1) OR city = 'Rome';
