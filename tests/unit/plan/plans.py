"""Plans in text, before and after a rule: the fixtures in ``rules/`` are read, checked and written here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa

from fluxcore.api.session import Session
from fluxcore.plan.nodes import Node
from fluxcore.plan.optimizer import RULES
from fluxcore.sql.script import bind_query

FOLDER = Path(__file__).parent / "rules"
EMPTY_TABLES = """
CREATE TABLE t (k STRING, v BIGINT, w DOUBLE, id BIGINT NOT NULL, ts TIMESTAMP(3), r ROW<a INT, b STRING, c ROW<d BIGINT, e STRING>>, items ARRAY<STRING>, WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE)
WITH ('connector' = 'filesystem', 'path' = '/nowhere/t', 'format' = 'json');
CREATE TABLE u (k STRING, n BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem', 'path' = '/nowhere/u', 'format' = 'csv');
CREATE TABLE rates (currency STRING, rate DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (currency) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '/nowhere/r', 'format' = 'csv');
CREATE TABLE logs (a_day DATE, v BIGINT, note STRING, an_hour INT) PARTITIONED BY (an_hour, a_day)
WITH ('connector' = 'filesystem', 'path' = '/nowhere/logs', 'format' = 'csv');
"""
_DATA = {
    name: pa.table({"id": range(rows), "other": [i % 10 for i in range(rows)], name[0]: range(rows)})
    for name, rows in (("small", 10), ("middle", 1_000), ("lots", 100_000))
}
_CASE = re.compile(r"## (?P<title>[^\n]+)\n(?P<why>.*?)```sql\n(?P<sql>.*?)```\n(?:before[^\n]*\n+```\n(?P<before>.*?)```\n+after\n+```\n(?P<after>.*?)```\n)?", re.DOTALL)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One case: a title, what it shows, the query, and both plans as they are written down ('' when not yet)."""

    rule: str
    title: str
    why: str
    sql: str
    before: str = ""
    after: str = ""

    @property
    def given(self):
        """Return the rules that are applied before: named in a comment in the query's first line."""
        found = re.match(r"-- given: (.*)\n", self.sql)
        return [name.strip() for name in found[1].split(",")] if found else []

    def plans(self):
        """Return both plans as they are now."""
        session = shared_tables()
        node = bind_query(self.sql.strip().rstrip(";"), catalog=session.catalog, settings=session.settings)
        roots = [node]
        for name in self.given:
            roots = RULES[name](roots, session.settings)
        return shown(roots[0]), shown(RULES[self.rule](roots, session.settings)[0])

    def text(self, before, after):
        """Return the case as it stands in the file."""
        same = before == after
        last = "nothing changes\n" if same else after
        return (
            f"## {self.title}\n{self.why}```sql\n{self.sql}```\nbefore\n\n```\n{before}```\n\nafter\n\n```\n{last}```\n"
        )


def tables():
    """Return a session with the tables of the cases; ``small``, ``middle`` and ``lots`` have rows."""
    session = Session({"parallelism.default": "1"})
    session.execute(EMPTY_TABLES)
    for name, table in _DATA.items():
        session.from_arrow(table, name=name)
    return session


@cache
def shared_tables():
    """Return one such session for all tests that don't change it."""
    return tables()


def shown(node: Node, depth: int = 0) -> str:
    """Return a plan as indented lines."""
    return "  " * depth + node.describe() + "\n" + "".join(shown(each, depth + 1) for each in node.inputs)


def cases(rule: str):
    """Return the cases in the file of a rule."""
    path = FOLDER / f"{rule}.md"
    if not path.exists():
        return []
    found = _CASE.finditer(path.read_text("utf-8"))
    return [Case(rule, **{key: value or "" for key, value in each.groupdict().items()}) for each in found]


def write(rule: str):
    """Write the plans of all cases of a rule as they are now into its file."""
    path = FOLDER / f"{rule}.md"
    head = path.read_text("utf-8").split("\n## ")[0].rstrip() + "\n"
    path.write_text("\n".join([head, *(case.text(*case.plans()) for case in cases(rule))]))


if __name__ == "__main__":
    for each in RULES:
        write(each)
