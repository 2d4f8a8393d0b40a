/* rows by: hand
Of 1, 6 and 7: all have 1; six and seven have 2 to 6; seven has 7.
[1, 3]
[2, 2]
[3, 2]
[4, 2]
[5, 2]
[6, 2]
[7, 1] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION upto AS 'golden_functions.upto' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT x, COUNT(*) AS c FROM v, LATERAL TABLE(upto(n)) AS u(x) GROUP BY x;
