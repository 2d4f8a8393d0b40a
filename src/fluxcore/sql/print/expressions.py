"""Expressions as SQL text, with no more brackets than they need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.sql import ast
from fluxcore.sql.print.constants import constant
from fluxcore.sql.print.json_calls import json_call
from fluxcore.sql.print.names import dotted, listed
from fluxcore.sql.reserved import CALLABLE, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OR, _AND, _NOT, _COMPARED, _SUM, _PRODUCT, _SIGNED, _PRIMARY = range(1, 9)
_BINARY = {
    "OR": _OR, "AND": _AND, "=": _COMPARED, "<>": _COMPARED, "<": _COMPARED, "<=": _COMPARED, ">": _COMPARED,
    ">=": _COMPARED, "+": _SUM, "-": _SUM, "||": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT,
}  # fmt: skip
_NILADIC = {"CURRENT_TIMESTAMP", "CURRENT_DATE", "LOCALTIMESTAMP", "CURRENT_TIME", "LOCALTIME"}


class ExpressionPrinter:
    """Prints expressions; ``query`` prints the queries inside them, ``relation`` the tables."""

    def __init__(self, query: Callable[[ast.Query], str], relation: Callable[[ast.Relation], str]) -> None:
        self._query = query
        self._relation = relation

    def show(self, tree: ast.Expression, level: int = 0) -> str:
        """Return an expression; in brackets where it binds less than ``level``."""
        found, own = self._shown(tree)
        return found if own >= level else f"({found})"

    def _shown(self, tree: ast.Expression) -> tuple[str, int]:
        match tree:
            case ast.Name():
                return dotted(tree.parts), _PRIMARY
            case ast.Star():
                return (f"{dotted(tree.qualifier)}.*" if tree.qualifier else "*"), _PRIMARY
            case ast.Constant():
                shown = constant(tree)
                return shown, _SIGNED if shown.startswith("-") else _PRIMARY
            case ast.CastTo():
                word = "TRY_CAST" if tree.lenient else "CAST"
                return f"{word}({self.show(tree.arg)} AS {tree.type.sql()})", _PRIMARY
            case ast.SubQuery():
                return self._sub_query(tree)
            case ast.TableArgument():
                return self._table_argument(tree), _PRIMARY
            case ast.GroupingSet():
                return self._grouping(tree), _PRIMARY
            case ast.Descriptor():
                return f"DESCRIPTOR{listed(tree.columns)}", _PRIMARY
            case ast.FunctionCall():
                return self._call(tree)
        raise TypeError(f"no text for {type(tree).__name__}")

    def _all(self, trees: Sequence[ast.Expression]) -> str:
        return ", ".join(self.show(tree) for tree in trees)

    def _sub_query(self, tree: ast.SubQuery) -> tuple[str, int]:
        query = self._query(tree.query)
        if tree.kind == "EXISTS":
            return f"EXISTS ({query})", _PRIMARY
        if tree.left is not None:
            sign = "IN" if tree.kind == "IN" else f"{tree.kind} ANY"
            return f"{self.show(tree.left, _COMPARED)} {sign} ({query})", _COMPARED
        return f"({query})", _PRIMARY

    def _grouping(self, tree: ast.GroupingSet) -> str:
        inside = f"({self._all(tree.items)})"
        return {"LIST": "", "SETS": "GROUPING SETS "}.get(tree.kind, f"{tree.kind} ") + inside

    def _table_argument(self, tree: ast.TableArgument) -> str:
        shown = f"TABLE {self._relation(tree.table)}"
        return shown + (f" PARTITION BY ({self._all(tree.partition)})" if tree.partition else "")

    def _call(self, tree: ast.FunctionCall) -> tuple[str, int]:
        name, args = tree.name, tree.args
        plain = not (tree.distinct or tree.star or tree.where or tree.over or tree.named)
        if plain and name in _BINARY and len(args) == 2:
            level = _BINARY[name]
            return f"{self.show(args[0], level)} {name} {self.show(args[1], level + 1)}", level
        if plain and args:
            special = self._special(name, args) or self._worded(name, args)
            if special is not None:
                return special
        if plain and not args and name in _NILADIC:
            return name, _PRIMARY
        return self._plain_call(tree), _PRIMARY

    def _special(self, name: str, args: tuple[ast.Expression, ...]) -> tuple[str, int] | None:
        """Return a call that has a form of its own."""
        first, rest = args[0], args[1:]
        match name:
            case "NOT":
                return f"NOT {self.show(first, _NOT)}", _NOT
            case "NEG":
                return f"- {self.show(first, _SIGNED)}", _SIGNED
            case "LIKE" | "SIMILAR TO":
                escape = f" ESCAPE {self.show(rest[1], _SUM)}" if len(rest) > 1 else ""
                return f"{self.show(first, _COMPARED)} {name} {self.show(rest[0], _SUM)}{escape}", _COMPARED
            case "IN":
                return f"{self.show(first, _COMPARED)} IN ({self._all(rest)})", _COMPARED
            case "CASE":
                return self._case(args), _PRIMARY
            case "ITEM":
                return f"{self.show(first, _PRIMARY)}[{self.show(rest[0])}]", _PRIMARY
            case "FIELD" if isinstance(rest[0], ast.Constant):
                return f"{self.show(first, _PRIMARY)}.{quoted(str(rest[0].value))}", _PRIMARY
            case "ARRAY" | "MAP":
                return f"{name}[{self._all(args)}]", _PRIMARY
        if name.startswith("IS "):
            right = f" {self.show(rest[0], _SUM)}" if rest else ""
            return f"{self.show(first, _COMPARED)} {name}{right}", _COMPARED
        return None

    def _worded(self, name: str, args: tuple[ast.Expression, ...]) -> tuple[str, int] | None:
        """Return a call with words between its arguments."""
        first, rest = args[0], args[1:]
        match name:
            case "EXTRACT":
                return f"EXTRACT({_word(first)} FROM {self.show(rest[0])})", _PRIMARY
            case "TIMESTAMPADD" | "TIMESTAMPDIFF":
                return f"{name}({_word(first)}, {self._all(rest)})", _PRIMARY
            case "FLOOR" | "CEIL" if len(args) == 2:
                return f"{name}({self.show(first)} TO {_word(rest[0])})", _PRIMARY
            case "POSITION" if len(args) in (2, 3):
                start = f" FROM {self.show(rest[1])}" if len(rest) == 2 else ""
                return f"POSITION({self.show(first, _SUM)} IN {self.show(rest[0])}{start})", _PRIMARY
            case "OVERLAY" if len(args) in (3, 4):
                length = f" FOR {self.show(rest[2])}" if len(rest) == 3 else ""
                inside = f"{self.show(first)} PLACING {self.show(rest[0])} FROM {self.show(rest[1])}{length}"
                return f"OVERLAY({inside})", _PRIMARY
            case "OVERLAPS" if len(args) == 4:
                return f"({self._all(args[:2])}) OVERLAPS ({self._all(args[2:])})", _COMPARED
            case "TRIM" if len(args) == 2:
                return f"TRIM(BOTH {self.show(rest[0])} FROM {self.show(first)})", _PRIMARY
        return None

    def _case(self, args: tuple[ast.Expression, ...]) -> str:
        pairs = zip(args[0:-1:2], args[1:-1:2], strict=True)
        whens = " ".join(f"WHEN {self.show(when)} THEN {self.show(then)}" for when, then in pairs)
        return f"CASE {whens} ELSE {self.show(args[-1])} END"

    def _plain_call(self, tree: ast.FunctionCall) -> str:
        clauses = json_call(tree.name, tree.args, self.show)
        inside = "*" if tree.star else self._all(tree.args) if clauses is None else clauses
        if tree.named:
            inside = ", ".join(f"{name} => {self.show(value)}" for name, value in tree.named)
        shown = f"{function_name(tree.name)}({'DISTINCT ' if tree.distinct else ''}{inside})"
        if tree.where is not None:
            shown += f" FILTER (WHERE {self.show(tree.where)})"
        if tree.over is not None:
            shown += f" OVER {self._over(tree.over)}"
        return shown

    def _over(self, tree: ast.OverClause) -> str:
        alone = tree.window is not None and not tree.partition and not tree.order and tree.rows is None
        return quoted(tree.window or "") if alone else self.window(tree)

    def window(self, tree: ast.OverClause) -> str:
        """Return what stands in the brackets of OVER or WINDOW, with them."""
        parts = [] if tree.window is None else [quoted(tree.window)]
        if tree.partition:
            parts.append(f"PARTITION BY {self._all(tree.partition)}")
        if tree.order:
            parts.append(self.order(tree.order))
        if tree.rows is not None and tree.start is not None and tree.end is not None:
            kind = "ROWS" if tree.rows else "RANGE"
            parts.append(f"{kind} BETWEEN {self._bound(tree.start)} AND {self._bound(tree.end)}")
        return f"({' '.join(parts)})"

    def order(self, items: Sequence[ast.OrderItem]) -> str:
        """Return ORDER BY."""
        shown = []
        for item in items:
            nulls = "" if item.nulls_first is None else f" NULLS {'FIRST' if item.nulls_first else 'LAST'}"
            shown.append(f"{self.show(item.expr)}{' DESC' if item.descending else ''}{nulls}")
        return f"ORDER BY {', '.join(shown)}"

    def _bound(self, bound: ast.FrameBound) -> str:
        if bound.current:
            return "CURRENT ROW"
        reach = "UNBOUNDED" if bound.reach is None else self.show(bound.reach, _SUM)
        return f"{reach} {'FOLLOWING' if bound.following else 'PRECEDING'}"


def function_name(name: str) -> str:
    """Return a function's name: bare where that gives the same name again, else in backquotes."""
    bare = re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and (name not in RESERVED or name in CALLABLE)
    return name if bare else quoted(name)


def _word(tree: ast.Expression) -> str:
    assert isinstance(tree, ast.Constant), tree
    return str(tree.value)
