/* rows by: hand
the least and the greatest of each array.
[1, 1, 3]
[2, 5, 5] */
SET 'python.files' = '{data}/golden_functions.py';
CREATE FUNCTION span AS 'golden_functions.span' LANGUAGE PYTHON;
CREATE VIEW arrays AS SELECT 1 AS id, ARRAY[3, 1, 2] AS xs UNION ALL SELECT 2, ARRAY[5];
SELECT id, span(xs).low AS low, span(xs).high AS high FROM arrays;
