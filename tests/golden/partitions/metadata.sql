/* rows
By hand: the two files with two rows are part-0.csv of 9 bytes ("1,2.5\n2,\n" is 6 + 3) and of 12 bytes ("5,8.0\n6,0.5\n"), read
whole; the file of -1 is "9,2.0\n", 6 bytes.
["part-0.csv", 9, 1]
["part-0.csv", 9, 2]
["part-0.csv", 12, 5]
["part-0.csv", 12, 6]
["part-0.csv", 6, 9]
*/
CREATE TABLE visits (name STRING METADATA FROM 'file.name', city STRING, size BIGINT METADATA FROM 'file.size', id BIGINT, `hour` INT, fare DOUBLE, `day` DATE) PARTITIONED BY (`day`, city, `hour`) WITH ('connector' = 'filesystem', 'path' = '{data}/visits', 'format' = 'csv', 'csv.null-literal' = '');
SELECT name, size, id FROM visits WHERE name LIKE 'part%' AND (size IN (9, 12) OR `hour` = -1);
