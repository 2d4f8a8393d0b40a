/* rows by: hand
1.50 / 3 = 0.5; 2 / 3 and 10.01 / 3 rounded half up to 4 digits.
[1, "0.5"]
[6, "0.6667"]
[7, "3.3367"] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION third AS 'golden_functions.third' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT n, third(p) AS t FROM v;
