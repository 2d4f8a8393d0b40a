"""One SELECT in the making: what it reads, and a piece of SQL for each of its columns.

A node of the plan joins the SELECT of its input where SQL's order of evaluation allows, else it reads it as a sub-query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.targets.flink.sql.functions import PRIMARY
from fluxcore.targets.flink.sql.identifiers import indented

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Item:
    """The SQL of a column, how tightly it holds together, and whether it is a plain column of what is read."""

    sql: str
    level: int = PRIMARY
    plain: bool = True


@dataclass(frozen=True)
class Block:
    """A SELECT: ``source`` is what stands behind FROM (nothing: no FROM), ``names`` are those of its columns.

    ``whole``: the items are all columns of the source, in order, under their names. ``done``: rows are grouped, numbered or
    ordered, so that no WHERE can join; ``over``: by OVER only, of which there may be more. ``table``: the source is one name. ``body``: the text of the whole query, where that is
    no SELECT.
    """

    source: str
    items: tuple[Item, ...]
    names: tuple[str, ...]
    whole: bool = False
    where: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0
    hint: str = ""
    done: bool = False
    over: bool = False
    table: bool = False
    body: str = ""
    note: str = ""

    @staticmethod
    def of_table(name: str, names: Sequence[str]) -> Block:
        """Return the SELECT of a table or view."""
        return Block(quoted(name), columns(names), tuple(names), whole=True, table=True)

    @staticmethod
    def of_query(body: str, names: Sequence[str], alias: str = "") -> Block:
        """Return the SELECT of a query, which is printed bare where nothing joins it."""
        source = f"(\n{indented(body)}\n)" + (f" AS {quoted(alias)}" if alias else "")
        return Block(source, columns(names), tuple(names), whole=True, body="" if alias else body)

    @property
    def is_open(self) -> bool:
        """Return whether a condition on its columns can become part of its WHERE."""
        return not self.done and bool(self.source)

    @property
    def is_table(self) -> bool:
        """Return whether the block is one table or view as it is."""
        return self.table and self.whole and not self.where and not self.done and not self.hint

    def text(self, names: Sequence[str] | None = None) -> str:
        """Return the query, under other names of its columns where these are given."""
        shown = self.names if names is None else tuple(names)
        if self.body and shown == self.names and self.whole and not self.where and not self.done:
            return self.body
        lines = ["SELECT " + self._hinted() + self._list(shown)]
        if self.source:
            lines.append(f"FROM {self.source}")
        if self.where:
            lines.append("WHERE " + "\n  AND ".join(self.where))
        if self.group:
            lines.append(f"GROUP BY {', '.join(self.group)}")
        if self.order:
            lines.append(f"ORDER BY {', '.join(self.order)}")
        if self.limit is not None:
            lines.append(f"LIMIT {self.limit}")
        if self.offset:
            lines.append(f"OFFSET {self.offset}")
        return "\n".join(lines)

    def relation(self, alias: str = "") -> str:
        """Return what stands for the block behind FROM."""
        found = self.source if self.is_table else f"(\n{indented(self.text())}\n)"
        return f"{found} AS {quoted(alias)}" if alias else found

    def nested(self, alias: str = "") -> Block:
        """Return a SELECT of all columns of this one, as a sub-query."""
        qualifier = f"{quoted(alias)}." if alias else ""
        items = tuple(Item(qualifier + quoted(name)) for name in self.names)
        table = self.is_table and not alias
        return Block(self.relation(alias), items, self.names, whole=True, table=table)

    def ready(self, wanted: Iterable[int], *, open_: bool = False) -> Block:
        """Return a block whose columns ``wanted`` can be written into an expression, each as often as it stands there.

        That is the block itself unless a computed column would be computed twice, or, with ``open_``, a column is computed
        or no condition can join any more; then it is a sub-query.
        """
        seen: set[int] = set()
        again = False
        for place in wanted:
            again = again or (not self.items[place].plain and (open_ or place in seen))
            seen.add(place)
        return self.nested() if again or (open_ and not self.is_open) else self

    def filtered(self, condition: str) -> Block:
        """Return the block with one more condition, in terms of its items."""
        assert self.is_open
        return replace(self, where=(*self.where, condition))

    def _hinted(self) -> str:
        return f"/*+ {self.hint} */ " if self.hint else ""

    def _list(self, names: Sequence[str]) -> str:
        note = f" {self.note}" if self.note else ""
        if self.whole and tuple(names) == self.names:
            return "*" + note
        shown = [
            item.sql if item.plain and _named(item.sql, name) else f"{item.sql} AS {quoted(name)}"
            for item, name in zip(self.items, names, strict=True)
        ]
        return ", ".join(shown) + note


def columns(names: Sequence[str], alias: str = "") -> tuple[Item, ...]:
    """Return the items of plain columns, of the table ``alias`` where one is given."""
    qualifier = f"{quoted(alias)}." if alias else ""
    return tuple(Item(qualifier + quoted(name)) for name in names)


def _named(sql: str, name: str) -> bool:
    """Return whether a column of that SQL has a name by itself."""
    own = quoted(name)
    return sql == own or (sql.endswith(f".{own}") and sql.count("`") == 4 and own.count("`") == 2)
