"""TO_CHANGELOG and FROM_CHANGELOG: what they refuse, and what they fail on."""

from __future__ import annotations

import pytest

from fluxcore.api.session import Session
from fluxcore.errors import DataError, ScriptError

VIEWS = """
CREATE VIEW ops AS SELECT * FROM (VALUES (1, 'INSERT', 'a'), (2, 'WHAT', 'b')) AS x (id, op, v);
CREATE VIEW no_rows AS SELECT * FROM (VALUES (1, CAST(NULL AS STRING))) AS x (id, op);
CREATE VIEW counted AS SELECT op, COUNT(*) AS c FROM ops GROUP BY op;
"""


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("TO_CHANGELOG(input => TABLE counted PARTITION BY op)", "FX-SQL-0402"),
        ("TO_CHANGELOG(input => TABLE ops)", "FX-SQL-0415"),
        ("TO_CHANGELOG(input => TABLE ops, op => DESCRIPTOR(o), op_mapping => MAP['INSRT', 'I'])", "FX-SQL-0415"),
        ("TO_CHANGELOG(input => TABLE ops, op => DESCRIPTOR(o), op_mapping => MAP['INSERT, DELETE', 'I', 'DELETE', 'D'])", "FX-SQL-0415"),
        ("TO_CHANGELOG(input => TABLE ops, op => DESCRIPTOR(o, p))", "FX-SQL-0401"),
        ("TO_CHANGELOG(input => TABLE ops, op => DESCRIPTOR(o), op_mapping => 5)", "FX-SQL-0401"),
        ("TO_CHANGELOG(inputs => TABLE ops)", "FX-SQL-0402"),
        ("TO_CHANGELOG(5)", "FX-SQL-0401"),
        ("FROM_CHANGELOG(input => TABLE ops, op => DESCRIPTOR(id))", "FX-SQL-0415"),
        ("FROM_CHANGELOG(input => TABLE ops, op => DESCRIPTOR(nope))", "FX-SQL-0415"),
        ("FROM_CHANGELOG(input => TABLE counted)", "FX-SQL-0415"),
        ("FROM_CHANGELOG(input => TABLE ops, op_mapping => MAP['I', 'INSERT', 'U', 'UPDATE_AFTER'])", "FX-SQL-0415"),
        ("FROM_CHANGELOG(input => TABLE ops, op_mapping => MAP['I', 'INSERT', 'R', 'INSERT'])", "FX-SQL-0415"),
    ],
)  # fmt: skip
def test_arguments_are_checked(call: str, code: str) -> None:
    session = Session()
    session.execute(VIEWS)
    with pytest.raises(ScriptError) as caught:
        session.sql(f"SELECT * FROM {call}")
    assert caught.value.code == code


@pytest.mark.parametrize(("view", "words"), [("ops", "'WHAT'"), ("no_rows", "NULL")])
def test_a_code_that_is_not_known_fails_the_job(view: str, words: str) -> None:
    session = Session()
    session.execute(VIEWS)
    with pytest.raises(DataError) as caught:
        session.sql(f"SELECT * FROM FROM_CHANGELOG(input => TABLE {view})").to_arrow()
    assert caught.value.code == "FX-RUN-0107"
    assert words in caught.value.message
