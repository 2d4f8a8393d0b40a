"""MATCH_RECOGNIZE as SQL text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.sql.print.names import listed

if TYPE_CHECKING:
    from fluxcore.sql import ast
    from fluxcore.sql.print.expressions import ExpressionPrinter


def match_recognize(tree: ast.MatchRecognize, relation: str, printer: ExpressionPrinter) -> str:
    """Return MATCH_RECOGNIZE over a relation's text."""
    parts = []
    if tree.partition:
        parts.append("PARTITION BY " + ", ".join(printer.show(each) for each in tree.partition))
    if tree.order:
        parts.append(printer.order(tree.order))
    if tree.measures:
        parts.append(
            "MEASURES " + ", ".join(f"{printer.show(m.expr)} AS {quoted(m.alias or '')}" for m in tree.measures)
        )
    parts.append("ALL ROWS PER MATCH" if tree.all_rows else "ONE ROW PER MATCH")
    where, variable = tree.skip
    parts.append(f"AFTER MATCH SKIP {where}" + (f" {quoted(variable)}" if variable else ""))
    parts.append(f"PATTERN ({pattern(tree.pattern)})")
    if tree.within is not None:
        parts[-1] += f" WITHIN {printer.show(tree.within)}"
    if tree.subsets:
        parts.append("SUBSET " + ", ".join(f"{quoted(name)} = {listed(of)}" for name, of in tree.subsets))
    parts.append("DEFINE " + ", ".join(f"{quoted(name)} AS {printer.show(expr)}" for name, expr in tree.defines))
    return f"{relation} MATCH_RECOGNIZE (\n  " + "\n  ".join(parts) + "\n)"


def pattern(tree: ast.RowPattern) -> str:
    """Return a part of PATTERN."""
    inside = [pattern(part) for part in tree.parts]
    match tree.kind:
        case "NAME":
            shown = quoted(tree.name)
        case "CHOICE":
            return " | ".join(inside)
        case "PERMUTE":
            shown = f"PERMUTE ({', '.join(inside)})"
        case "EXCLUDED":
            shown = f"{{- {inside[0]} -}}"
        case _ if len(inside) == 1:
            shown = f"({inside[0]})"
        case _:
            return " ".join(inside)
    return shown + _times(tree)


def _times(tree: ast.RowPattern) -> str:
    if (tree.least, tree.most) == (1, 1) and tree.greedy:
        return ""
    signs = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    most = "" if tree.most is None else tree.most
    return signs.get((tree.least, tree.most), f"{{{tree.least},{most}}}") + ("" if tree.greedy else "?")
