"""The clauses of a view as a query in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.api.yaml.written import Written
from fluxcore.core.duration import duration_ms
from fluxcore.core.quotes import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.api.yaml.document import Document, Node, Piece

_CLAUSES = (
    "from", "as", "join", "window", "where", "group_by", "having", "select", "distinct", "order_by", "limit", "union", "sql",
)  # fmt: skip
_WINDOWS = {
    "tumble": ("TUMBLE", ("size",), "offset"),
    "hop": ("HOP", ("slide", "size"), "offset"),
    "cumulate": ("CUMULATE", ("step", "size"), "offset"),
    "session": ("SESSION", ("gap",), "by"),
}
"""By key: the table function, its durations in the order in which it takes them, and what else may be said."""
_JOINS = {
    "inner": "JOIN",
    "left": "LEFT JOIN",
    "right": "RIGHT JOIN",
    "full": "FULL JOIN",
    "cross": "CROSS JOIN",
}


def query(document: Document, node: Node, name: str) -> Written:
    """Return a view's query. Raises ``ScriptError`` FX-YAML-0002."""
    what = f"the view '{name}'"
    said = document.mapping(node, what, _CLAUSES)
    for alone in ("sql", "union"):
        if alone in said and len(said) > 1:
            other = next(key for key in said if key != alone)
            raise document.error(said[other], f"'{alone}' stands alone, without '{other}'")
    if "sql" in said:
        return Written().add(document.piece(said["sql"], "sql"))
    if "union" in said:
        rows = (Written().add("SELECT * FROM ", name_of(each)) for each in document.pieces(said["union"], "union"))
        return Written().listed(rows, "\nUNION ALL\n")
    if "from" not in said:
        raise document.error(node, f"{what} says nothing of where its rows come from", hint="from, union or sql")
    return _Query(document, said).written()


def name_of(piece: Piece) -> Written:
    """Return a name as SQL writes it: parts between dots, each in quotes."""
    return Written().add("`", piece, "`") if "`" not in piece.text and "." not in piece.text else Written().add(piece)


class _Query:
    """One query from its clauses."""

    def __init__(self, document: Document, said: Mapping[str, Node]) -> None:
        self._document = document
        self._said = said

    def written(self) -> Written:
        said = self._said
        query = Written().add("SELECT ", "DISTINCT " if self._flag("distinct") else "")
        query.listed(self._columns()).add("\nFROM ", self._source())
        for each in self._document.items(said["join"]) if "join" in said else ():
            query.add("\n", self._join(each))
        if "where" in said:
            query.add("\nWHERE ", self._conditions("where"))
        grouped = self._groups()
        if grouped:
            query.add("\nGROUP BY ").listed(grouped)
        if "having" in said:
            query.add("\nHAVING ", self._conditions("having"))
        if "order_by" in said:
            query.add("\nORDER BY ").listed(self._document.pieces(said["order_by"], "order_by"))
        if "limit" in said:
            query.add("\nLIMIT ", self._document.piece(said["limit"], "limit"))
        return query

    def _flag(self, key: str) -> bool:
        if key not in self._said:
            return False
        piece = self._document.piece(self._said[key], key)
        if piece.text.lower() not in ("true", "false"):
            raise self._document.error(piece.node, f"'{key}' is true or false")
        return piece.text.lower() == "true"

    def _groups(self) -> list[Piece | str]:
        """Return what the rows are grouped by, the window before all."""
        if "group_by" not in self._said:
            return []
        window = ["window_start", "window_end"] if "window" in self._said else []
        return [*window, *self._document.pieces(self._said["group_by"], "group_by")]

    def _columns(self) -> list[Piece | str | Written]:
        """Return the columns: what the rows are grouped by, then those of ``select``; without either, all."""
        groups: list[Piece | str | Written] = list(self._groups())
        if "select" not in self._said:
            return groups or ["*"]
        node = self._said["select"]
        if node.id != "mapping":
            return groups + list(self._document.pieces(node, "select"))
        for name, value in self._document.mapping(node, "select").items():
            groups.append(Written().add(self._document.piece(value, f"the column '{name}'"), " AS ", quoted(name)))
        return groups

    def _source(self) -> Written:
        table = Written().add(name_of(self._document.piece(self._said["from"], "from")))
        if "window" in self._said:
            table = self._window(table)
        if "as" in self._said:
            table.add(" AS ", name_of(self._document.piece(self._said["as"], "as")))
        return table

    def _window(self, table: Written) -> Written:
        document, node = self._document, self._said["window"]
        kinds = document.mapping(node, "window", (*_WINDOWS, "size", "slide", "step", "gap", "offset", "by"))
        kind = next((each for each in kinds if each in _WINDOWS), None)
        if kind is None:
            raise document.error(node, "a window is one of tumble, hop, cumulate and session")
        function, durations, more = _WINDOWS[kind]
        wrong = next((each for each in kinds if each not in (kind, *durations, more)), None)
        if wrong is not None:
            raise document.error(
                kinds[wrong], f"'{kind}' has no '{wrong}'", hint=f"it has {', '.join(durations)} and {more}"
            )
        missing = next((each for each in durations if each not in kinds), None)
        if missing is not None:
            raise document.error(node, f"'{kind}' wants '{missing}'", hint=f"{missing}: 1 minute")
        written = Written().add(f"TABLE({function}(TABLE ", table)
        if kind == "session" and "by" in kinds:
            written.add(" PARTITION BY (").listed(document.pieces(kinds["by"], "by")).add(")")
        written.add(", DESCRIPTOR(", document.piece(kinds[kind], kind), ")")
        for each in durations:
            written.add(", ", self._interval(kinds[each], each))
        if more == "offset" and "offset" in kinds:
            written.add(", ", self._interval(kinds["offset"], "offset"))
        return written.add("))")

    def _interval(self, node: Node, what: str) -> str:
        return interval(self._document, node, what)

    def _join(self, node: Node) -> Written:
        document = self._document
        said = document.mapping(node, "a join", ("to", "as", "how", "on", "using"))
        if "to" not in said:
            raise document.error(node, "a join says what it joins with", hint="to: customers")
        how = document.piece(said["how"], "how").text if "how" in said else "inner"
        if how not in _JOINS:
            raise document.error(said["how"], f"there is no join '{how}'", hint=f"one of {', '.join(_JOINS)}")
        written = Written().add(_JOINS[how], " ", name_of(document.piece(said["to"], "to")))
        if "as" in said:
            written.add(" AS ", name_of(document.piece(said["as"], "as")))
        if "on" in said:
            written.add(" ON ", self._all_of(said["on"], "on"))
        if "using" in said:
            written.add(" USING (").listed(document.pieces(said["using"], "using")).add(")")
        return written

    def _conditions(self, key: str) -> Written:
        return self._all_of(self._said[key], key)

    def _all_of(self, node: Node, what: str) -> Written:
        """Return a condition, or several that must all hold."""
        pieces = self._document.pieces(node, what)
        if len(pieces) == 1:
            return Written().add(pieces[0])
        return Written().add("(").listed(pieces, ") AND (").add(")")


def interval(document: Document, node: Node, what: str) -> str:
    """Return a duration such as ``5 minutes`` as an interval of SQL. Raises ``ScriptError`` FX-YAML-0002."""
    piece = document.piece(node, what)
    try:
        milliseconds = duration_ms(piece.text)
    except ValueError as error:
        raise document.error(node, str(error)) from error
    seconds, rest = divmod(milliseconds, 1000)
    days, of_day = divmod(seconds, 86_400)
    clock = f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}.{rest:03}"
    return f"INTERVAL '{days} {clock}' DAY({max(2, len(str(days)))}) TO SECOND(3)"
