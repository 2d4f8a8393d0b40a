"""The cases of built-in functions: what is asked, over which rows, and what a real Flink answered.

``tests/functions/<category>.toml`` is written by hand. Each table is a group of questions over the same rows::

    [texts]
    columns = { s = "STRING", n = "INT" }
    rows = [["'abc'", "2"], ["''", "NULL"]]      # Flink SQL, cast to the column's type; FLOAT and DOUBLE as plain text: "NaN"
    settings = { "table.local-time-zone" = "Asia/Tokyo" }
    ask = ["UPPER(s)", "LEFT(s, n)"]
    per_column = ["CAST({} AS STRING)"]           # one question for each column

``tests/functions/answers/<category>.json`` holds what Flink said, written by ``scripts/function_answers.py`` and by nothing else:
an expression's type and a value for each row, ``{"fails": why}`` where computing a row fails, or ``{"refused": why}`` in place of
both where Flink does not take the expression. ``differences.toml`` names the answers that FluxCore does not give, with the reason.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ANSWERS = FOLDER / "answers"
DIFFERENCES = FOLDER / "differences.toml"
LEFT_OUT = FOLDER / "left_out.toml"
ROW = "row_"


@dataclass(frozen=True)
class Group:
    """Questions over the same rows. ``rows`` hold a Flink SQL text for each of ``columns`` (name to type)."""

    category: str
    name: str
    columns: dict[str, str]
    rows: list[list[str]]
    settings: dict[str, str]
    questions: list[str]

    def basis(self) -> str:
        """Return what answers depend on besides the questions: rows and settings."""
        return "".join(f"SET '{key}' = '{value}'; " for key, value in self.settings.items()) + self.view()

    def view(self) -> str:
        """Return the query that gives the rows on Flink, from an array, so that no column is a constant to the planner.

        What Flink computes while planning can't be a NaN or an infinity: floats stand in the array as texts.
        """
        if not self.columns:
            return f"SELECT 0 AS {ROW}"
        plain = [place for place, type_ in enumerate(self.columns.values()) if not is_nested(type_)]
        types = list(self.columns.values())
        rows = [
            f"ROW({', '.join([str(number), *(self._cell(row[place], types[place]) for place in plain)])})"
            for number, row in enumerate(self.rows)
        ]
        columns = []
        for place, (name, type_) in enumerate(self.columns.items()):
            shown = f"CAST({name} AS {type_}) AS {name}" if is_float(type_) else name
            columns.append(shown if place in plain else f"{self._case(place, type_)} AS {name}")
        names = [name for place, name in enumerate(self.columns) if place in plain]
        array = f"UNNEST(ARRAY[{', '.join(rows)}]) AS t({', '.join([ROW, *names])})"
        return f"SELECT {', '.join([ROW, *columns])} FROM (VALUES (0)) AS single_(z_) CROSS JOIN {array}"

    def _case(self, place: int, type_: str) -> str:
        """Return a column by the row's number: arrays, maps and rows change their type inside an array of rows on Flink."""
        cells = [f"CAST({row[place]} AS {type_})" for row in self.rows]
        whens = " ".join(f"WHEN {number} THEN {cell}" for number, cell in enumerate(cells[:-1]))
        return f"CASE {ROW} {whens} ELSE {cells[-1]} END" if whens else cells[0]

    def view_here(self) -> str:
        """Return the query that gives the rows here."""
        columns = []
        for place, (name, type_) in enumerate(self.columns.items()):
            cells = [f"CAST({cell_text(row[place], type_)} AS {type_})" for row in self.rows]
            whens = " ".join(f"WHEN {number} THEN {cell}" for number, cell in enumerate(cells[:-1]))
            columns.append(f"{f'CASE {ROW} {whens} ELSE {cells[-1]} END' if whens else cells[0]} AS {name}")
        numbers = ", ".join(f"({number})" for number in range(len(self.rows)))
        return f"SELECT {', '.join([ROW, *columns])} FROM (VALUES {numbers}) AS t({ROW})"

    @staticmethod
    def _cell(cell: str, type_: str) -> str:
        return f"CAST({cell_text(cell, type_)} AS {'STRING' if is_float(type_) else type_})"


def is_nested(type_: str) -> bool:
    """Return whether a column holds arrays, maps or rows."""
    return type_.startswith(("ARRAY", "MAP", "ROW"))


def cell_text(cell: str, type_: str) -> str:
    """Return a cell as Flink SQL; the text of a float as a string constant."""
    return f"'{cell}'" if is_float(type_) and cell != "NULL" else cell


def is_float(type_: str) -> bool:
    """Return whether a column's cells are written as plain text."""
    return type_.split(maxsplit=1)[0] in ("FLOAT", "DOUBLE")


def categories() -> list[str]:
    """Return the names of all categories."""
    return sorted(path.stem for path in FOLDER.glob("*.toml") if path not in (DIFFERENCES, LEFT_OUT))


def groups_of(category: str) -> list[Group]:
    """Return the groups of a category."""
    told = tomllib.loads((FOLDER / f"{category}.toml").read_text("utf-8"))
    found = []
    for name, table in told.items():
        unknown = table.keys() - {"columns", "rows", "settings", "ask", "per_column"}
        assert not unknown, f"{category}.toml [{name}]: {unknown}"
        columns = table.get("columns", {})
        questions = list(table.get("ask", []))
        assert len(questions) == len(set(questions)), f"{category}.toml [{name}] asks something twice"
        questions += [each.replace("{}", column) for each in table.get("per_column", []) for column in columns]
        found.append(
            Group(
                category,
                name,
                columns,
                table.get("rows", [[]]),
                table.get("settings", {}),
                list(dict.fromkeys(questions)),
            )
        )
    return found


def answers_of(category: str) -> dict[str, dict[str, Any]]:
    """Return group -> {"rows": its rows' query, "answers": expression -> answer}; empty where Flink was never asked."""
    path = ANSWERS / f"{category}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def write_answers(category: str, told: dict[str, dict[str, Any]]) -> None:
    """Write what Flink answered, an expression a line."""
    parts = []
    for name, group in told.items():
        lines = [
            f"   {json.dumps(ask)}: {json.dumps(answer, ensure_ascii=False)}"
            for ask, answer in group["answers"].items()
        ]
        body = ",\n".join(lines)
        parts.append(
            f' "{name}": {{\n  "rows": {json.dumps(group["rows"], ensure_ascii=False)},\n  "answers": {{\n{body}\n  }}\n }}'
        )
    ANSWERS.mkdir(exist_ok=True)
    (ANSWERS / f"{category}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


def differences_of(category: str) -> dict[str, dict[str, str]]:
    """Return group -> expression -> why FluxCore answers otherwise."""
    return tomllib.loads(DIFFERENCES.read_text("utf-8")).get(category, {})
