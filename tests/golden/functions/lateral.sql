/* rows by: hand
Each row by itself.
[1, "a", 0]
[1, "b", 1]
[6, "cc", 0] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION cut AS 'golden_functions.cut' LANGUAGE PYTHON;
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a b', 1.50), (6, 'cc', 2.00), (7, CAST(NULL AS STRING), 10.01)) AS t(n, s, p);
SELECT n, w, i FROM v, LATERAL TABLE(cut(s, ' ')) AS t(w, i);
