"""What Flink refuses, at the user's line."""

from fluxcore.targets.flink.refusals import refusal
from fluxcore.targets.flink.rest import RestError
from fluxcore.targets.flink.statements import statements_of

SCRIPT = "SELECT 1;\n  SELECT a,\n         nope\n  FROM t;\n"


def refused(message, lines_before):
    statement = statements_of(SCRIPT)[1]
    error = RestError(500, f"org.apache.flink.table.api.ValidationException: {message}\n\tat a.B.c(B.java:1)")
    return refusal(error, statement, SCRIPT, "x.sql", lines_before=lines_before)


def test_a_place_on_a_later_line():
    error = refused("SQL validation failed. From line 3, column 10 to line 3, column 13: Column 'nope' not found", 1)
    assert (error.place.line, error.place.column, error.place.length) == (3, 10, 4)
    assert error.message == "Flink refuses the statement: Column 'nope' not found"
    assert error.exit_code == 2


def test_a_place_on_the_first_line_counts_what_stands_before_the_statement():
    error = refused('SQL parse failed. Encountered "a" at line 1, column 8.', 0)
    assert (error.place.line, error.place.column) == (2, 10)
    assert error.message == 'Flink refuses the statement: Encountered "a"'


def test_without_a_place_the_statement_is_shown():
    error = refused("Unable to create a source for reading table 't'.", 0)
    assert (error.place.line, error.place.column) == (2, 3)
    assert error.place.source_line == "  SELECT a,"
