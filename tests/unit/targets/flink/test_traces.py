"""The root cause in what Flink's servers answer."""

from fluxcore.targets.flink.traces import causes, root_cause

WRAPPED = """<Exception on server side:
org.apache.flink.table.gateway.api.utils.SqlGatewayException: org.apache.flink.table.gateway.api.utils.SqlGatewayException: Failed to fetchResults.
\tat org.apache.flink.table.gateway.rest.handler.statement.FetchResultsHandler.handleRequest(FetchResultsHandler.java:91)
Caused by: org.apache.flink.table.gateway.service.utils.SqlExecutionException: Failed to execute the operation 07bebb0b.
\t... 1 more
Caused by: {cause}
\tat org.apache.calcite.Some.where(Some.java:1)
\t... 7 more

End of exception on server side>"""


def test_the_innermost_exception_that_says_something_is_the_cause():
    trace = WRAPPED.replace(
        "{cause}", "java.lang.RuntimeException: Failed\nCaused by: java.lang.ArithmeticException: / by zero"
    )
    assert root_cause(trace) == "ArithmeticException: / by zero"


def test_a_parse_error_is_told_by_flink_and_without_the_list_of_words():
    cause = (
        'org.apache.flink.table.api.SqlParserException: SQL parse failed. Encountered "x" at line 1, column 16.\n'
        'Was expecting one of:\n    <EOF> \n    "EXCEPT" ...\n'
        'Caused by: org.apache.calcite.sql.parser.SqlParseException: Encountered "x" at line 1, column 16.'
    )
    assert root_cause(WRAPPED.replace("{cause}", cause)) == 'SQL parse failed. Encountered "x" at line 1, column 16.'


def test_a_validation_error_keeps_its_place():
    cause = (
        "org.apache.flink.table.api.ValidationException: SQL validation failed. From line 1, column 8 to line 1, column 11: "
        "Column 'nope' not found in any table\n"
        "Caused by: org.apache.calcite.sql.validate.SqlValidatorException: Column 'nope' not found in any table"
    )
    found = root_cause(WRAPPED.replace("{cause}", cause))
    assert found.startswith("SQL validation failed. From line 1, column 8 to line 1, column 11: ")


def test_a_connector_that_is_missing_is_named_without_the_list_of_others():
    cause = (
        "org.apache.flink.table.api.ValidationException: Unable to create a source.\n"
        "Caused by: org.apache.flink.table.api.ValidationException: Could not find any factory for identifier 'nope'.\n\n"
        "Available factory identifiers are:\n\nblackhole\ndatagen"
    )
    assert root_cause(WRAPPED.replace("{cause}", cause)) == "Could not find any factory for identifier 'nope'."


def test_wrappers_alone_are_told_when_there_is_nothing_else():
    trace = "org.apache.flink.runtime.JobException: Recovery is suppressed\n\tat a.B.c(B.java:1)"
    assert root_cause(trace) == "Recovery is suppressed"
    assert root_cause("") == "no reason given"
    assert root_cause("plain words") == "plain words"


def test_frames_are_no_part_of_a_message():
    assert causes("a.b.SomeException: one\nand two\n\tat a.b.C.d(C.java:5)\n\t... 3 more") == [
        ("SomeException", "one\nand two")
    ]
