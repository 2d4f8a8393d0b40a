/* rows by: hand
'a b' has one of each letter.
[1, null, 1]
[6, 2, null]
[7, null, null] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION counted AS 'golden_functions.counted' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT n, counted(s)['c'] AS c, counted(s)['a'] AS a FROM v;
