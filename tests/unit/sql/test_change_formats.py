"""Tables whose lines are Debezium's messages: read, written, refused."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.errors import FluxError, JobError, ScriptError

CREATED = {"before": None, "after": {"id": 1, "name": "a"}, "op": "c"}
UPDATED = {"before": {"id": 1, "name": "a"}, "after": {"id": 1, "name": "b"}, "op": "u"}
DELETED = {"before": {"id": 2, "name": "x"}, "after": None, "op": "d"}
READ = {"before": None, "after": {"id": 2, "name": "x"}, "op": "r", "source": {"ts_ms": 5}, "ts_ms": 7}


@pytest.fixture
def table(tmp_path):
    def make(messages, more="", columns="id INT, name STRING"):
        path = tmp_path / "changes.jsonl"
        path.write_text("".join(f"{m if isinstance(m, str) else json.dumps(m)}\n" for m in messages))
        return f"CREATE TABLE t ({columns}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'debezium-json'{more});"

    return make


def rows(script, query="SELECT * FROM t"):
    session = fx.Session()
    session.execute_script(script)
    return sorted(tuple(row.values()) for row in session.sql(query).to_arrow().to_pylist())


def test_rows_come_change_and_go(table):
    assert rows(table([CREATED, READ, UPDATED, DELETED])) == [(1, "b")]
    assert rows(table([CREATED, READ])) == [(1, "a"), (2, "x")]


def test_messages_with_their_schema(table):
    wrapped = [{"schema": {"type": "struct"}, "payload": message} for message in (CREATED, UPDATED)]
    assert rows(table(wrapped, ", 'debezium-json.schema-include' = 'true'")) == [(1, "b")]


@pytest.mark.parametrize(
    "message",
    [
        {"before": None, "after": {"id": 1}, "op": "x"},
        {"before": None, "after": {"id": 1}, "op": "u"},
        {"before": None, "after": None, "op": "c"},
        {"before": None, "after": {"id": 1}, "op": "d"},
        {"before": None, "after": {"id": 1}},
    ],
    ids=json.dumps,
)
def test_what_is_no_change_fails_or_is_ignored(table, message):
    with pytest.raises(JobError) as caught:
        rows(table([CREATED, message]))
    assert caught.value.code == "FX-RUN-0107"
    assert rows(table([CREATED, message, "no json"], ", 'debezium-json.ignore-parse-errors' = 'true'")) == [(1, "a")]


def test_computed_columns_and_watermarks_stand_on_the_rows(table):
    columns = "id INT, name STRING, ts AS TO_TIMESTAMP_LTZ(id * 1000, 3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED"
    script = table([CREATED, READ, UPDATED], columns=columns)
    assert rows(script, "SELECT name, EXTRACT(SECOND FROM ts) FROM t") == [("b", 1), ("x", 2)]


def test_updates_are_written_as_rows_that_go_and_come(table, tmp_path):
    out = tmp_path / "out"
    script = table([CREATED, READ, UPDATED, DELETED]) + (
        f"CREATE TABLE o (name STRING, n BIGINT) WITH ('connector' = 'filesystem', 'path' = '{out}', 'format' = 'debezium-json');"
        "INSERT INTO o SELECT name, COUNT(*) FROM t GROUP BY name;"
    )
    assert rows(script, "SELECT * FROM o") == [("b", 1)]
    (file,) = [path for path in out.iterdir() if not path.name.startswith(".")]
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert {"before": None, "after": {"name": "a", "n": 1}, "op": "c"} in found
    assert {"before": {"name": "a", "n": 1}, "after": None, "op": "d"} in found
    assert all(list(message) == ["before", "after", "op"] for message in found)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (", 'debezium-json.nope' = '1'", "FX-SQL-0511"),
        (", 'debezium-json.ignore-parse-errors' = 'maybe'", "FX-SQL-0513"),
    ],
)
def test_options_are_checked(table, more, code):
    with pytest.raises(ScriptError) as caught:
        rows(table([CREATED], more))
    assert caught.value.code == code


def test_what_is_not_there_is_refused_by_name(table):
    parted = table([CREATED]).replace(") WITH", ") PARTITIONED BY (name) WITH")
    wrapped = table([CREATED], ", 'debezium-json.schema-include' = 'true'") + " INSERT INTO t VALUES (1, 'a');"
    for script in (parted, wrapped):
        with pytest.raises(FluxError) as caught:
            rows(script)
        assert caught.value.code == "FX-SQL-0900"


def test_sessions_read_changes_and_check_options_as_create_table_does(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in (CREATED, UPDATED)))
    schema = pa.schema([("id", pa.int32()), ("name", pa.string())])
    read = fx.Session().read(path, schema=schema, format="debezium-json")
    assert read.to_arrow().to_pylist() == [{"id": 1, "name": "b"}]
    with pytest.raises(ScriptError) as caught:
        fx.Session().read(path, schema=schema, format="csv", options={"csv.header": "maybe"})
    assert caught.value.code == "FX-SQL-0513"
