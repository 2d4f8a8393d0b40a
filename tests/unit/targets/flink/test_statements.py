"""A script cut into the statements that the gateway takes."""

from pathlib import Path

import pytest

from fluxcore.errors import ScriptError
from fluxcore.targets.flink.script import sent_statements
from fluxcore.targets.flink.statements import What, never_ends, statements_of

TABLE = "CREATE TABLE t (a INT) WITH ('connector' = 'blackhole');\n"


def whats(text):
    return [(each.what, each.text) for each in statements_of(text)]


def test_each_statement_is_the_users_own_text():
    text = "-- one; not an end\nSELECT ';' AS a, `b;` FROM t; /* ; */ SHOW TABLES;\nDROP TABLE t"
    assert whats(text) == [
        (What.QUERY, "SELECT ';' AS a, `b;` FROM t"),
        (What.QUESTION, "SHOW TABLES"),
        (What.DEFINITION, "DROP TABLE t"),
    ]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("SET 'a.b' = 'c'", "SET 'a.b' = 'c'"),
        ("SET parallelism.default = 2", "SET 'parallelism.default' = '2'"),
        ("SET table.exec.state.ttl = '1 h'", "SET 'table.exec.state.ttl' = '1 h'"),
        ("SET 'a' = 'it''s'", "SET 'a' = 'it''s'"),
        ("RESET parallelism.default", "RESET 'parallelism.default'"),
        ("RESET", "RESET"),
        ("SET", "SET"),
    ],
)
def test_settings_are_sent_in_quotes(text, sent):
    assert whats(text) == [(What.SETTING, sent)]


@pytest.mark.parametrize(
    "text",
    [
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END;",
        "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END;",
        "INSERT INTO a SELECT 1; INSERT INTO b SELECT 2",
        "EXECUTE INSERT INTO a SELECT 1; INSERT INTO b SELECT 2",
    ],
)
def test_inserts_that_follow_each_other_are_one_job(text):
    sent, unportable = sent_statements(text, None)
    assert sent == ["EXECUTE STATEMENT SET BEGIN\nINSERT INTO a SELECT 1;\nINSERT INTO b SELECT 2;\nEND"]
    assert unportable == []


def test_a_case_expression_does_not_end_a_statement_set():
    text = "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM t; END; SELECT 1"
    assert [each.what for each in statements_of(text)] == [What.INSERT, What.QUERY]


def test_an_empty_statement_set_is_an_error():
    with pytest.raises(ScriptError, match="no INSERT"):
        sent_statements("EXECUTE STATEMENT SET BEGIN END", "x.sql")


def test_a_relative_path_is_sent_whole_and_lines_stay_where_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (
        "CREATE TABLE t (a INT) WITH (\n  'connector' = 'filesystem',\n  'path' = 'data/x.csv',\n  'format' = 'csv'\n)"
    )
    (found,) = statements_of(text)
    assert str(Path(tmp_path) / "data" / "x.csv") in found.text
    assert found.text.count("\n") == text.count("\n")
    assert found.table is not None


def test_what_the_parser_does_not_know_is_sent_as_it_is():
    text = "CREATE CATALOG c WITH ('type' = 'generic_in_memory')"
    assert whats(text) == [(What.DEFINITION, text)]


def test_text_that_is_no_sql_has_its_place():
    with pytest.raises(ScriptError) as raised:
        sent_statements("SELECT 1;\nSELECT 'open", "x.sql")
    assert raised.value.place.line == 2


@pytest.mark.parametrize(
    ("options", "endless"),
    [
        ("'connector' = 'datagen'", True),
        ("'connector' = 'datagen', 'number-of-rows' = '3'", False),
        ("'connector' = 'filesystem', 'path' = '/tmp/a', 'format' = 'json'", False),
        ("'connector' = 'filesystem', 'path' = '/tmp/a', 'format' = 'debezium-json'", False),
        ("'connector' = 'print'", False),
        ("'connector' = 'kafka', 'topic' = 'a'", True),
        ("'connector' = 'kafka', 'topic' = 'a', 'scan.bounded.mode' = 'latest-offset'", False),
    ],
)
def test_a_table_ends_when_what_reads_it_does(options, endless):
    (statement,) = statements_of(f"CREATE TABLE t (a INT) WITH ({options})")
    assert never_ends(statement.table) is endless
