"""A NULL event time is a fault of the row, and the row policy says what happens to it."""

import json

import pytest

import fluxcore as fx

ROWS = {
    "csv": "1,2024-01-01 00:00:00\n2,\n3,2024-01-01 00:00:02\n",
    "json": '{"id": 1, "ts": "2024-01-01 00:00:00"}\n{"id": 2}\n{"id": 3, "ts": "2024-01-01 00:00:02"}\n',
}
NULLS = {"csv": {"csv.null-literal": ""}, "json": {}}
WINDOWS = """
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND))
GROUP BY window_start, window_end
"""


def windows(folder, form, **options):
    path = folder / f"rows.{form}"
    path.write_text(ROWS[form])
    given = {"connector": "filesystem", "path": str(path), "format": form, **NULLS[form], **options}
    pairs = ", ".join(f"'{key}' = '{value}'" for key, value in given.items())
    session = fx.Session()
    session.execute(f"CREATE TABLE t (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ({pairs});")
    return session.sql(WINDOWS).to_arrow()


@pytest.mark.parametrize("form", ROWS)
def test_it_fails_with_its_place(tmp_path, form) -> None:
    with pytest.raises(fx.DataError) as caught:
        windows(tmp_path, form)
    assert caught.value.place.line == 2
    assert caught.value.place.field == "ts"


@pytest.mark.parametrize("form", ROWS)
def test_it_is_skipped(tmp_path, form) -> None:
    assert windows(tmp_path, form, **{"row-policy": "skip"}).column("n").to_pylist() == [1, 1]


@pytest.mark.parametrize("form", ROWS)
def test_it_goes_to_the_dead_letters(tmp_path, form) -> None:
    dead = tmp_path / "dead.jsonl"
    found = windows(tmp_path, form, **{"row-policy": "dead-letter", "dead-letter.path": str(dead)})
    assert found.column("n").to_pylist() == [1, 1]
    (letter,) = map(json.loads, dead.read_text().splitlines())
    assert "2" in json.dumps(letter)
