"""The names that an expression can see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.core.types import RowType
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef, Expr
from fluxcore.plan.outer import OuterRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.schema import Schema
    from fluxcore.errors import Span


class Outer:
    """The query around a sub-query: what no name of the sub-query's own says is a column of that one.

    ``values`` are what the sub-query looks at, over the outer query's columns.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.values: list[Expr] = []

    def resolve(self, parts: Sequence[str], span: Span) -> Expr | None:
        """Return what stands for a value of the row around; None where there is none of this name."""
        if not self._scope.knows(parts):
            return None
        value = self._scope.resolve(parts, span)
        if value not in self.values:
            self.values.append(value)
        return OuterRef(index=self.values.index(value), type=value.type, span=span)

    def knows(self, parts: Sequence[str]) -> bool:
        """Return whether a name means a column of the query around, or of one around that."""
        return self._scope.knows(parts)


@dataclass(frozen=True)
class Scope:
    """Columns by position with the alias of the relation that each comes from.

    ``hidden`` columns are only found by name and alias: those that USING joined into one. ``outer`` is the query around.
    """

    schema: Schema
    qualifiers: tuple[str | None, ...]
    hidden: frozenset[int] = frozenset()
    outer: Outer | None = field(default=None, compare=False)

    @staticmethod
    def of(schema: Schema, qualifier: str | None = None) -> Scope:
        """Return the scope of one relation."""
        return Scope(schema, (qualifier,) * len(schema))

    def resolve(self, parts: Sequence[str], span: Span) -> Expr:
        """Return the column of a name, or the field of a row column.

        Raises: ``ScriptError`` FX-SQL-0201 for an unknown name, FX-SQL-0202 for an ambiguous one.
        """
        for used in range(min(2, len(parts)), 0, -1):
            qualifier, name = (parts[0], parts[1]) if used == 2 else (None, parts[0])
            found = self._find(qualifier, name)
            if len(found) > 1:
                hint = "write it with its table: t." + name
                raise ScriptError("FX-SQL-0202", f"the column '{name}' stands in several tables", span=span, hint=hint)
            if found:
                return self._fields(self.column(found[0], span), parts[used:], span)
        found_outside = None if self.outer is None else self.outer.resolve(parts, span)
        if found_outside is not None:
            return found_outside
        raise self._unknown(parts, span)

    def knows(self, parts: Sequence[str]) -> bool:
        """Return whether a name means a column, here or in a query around."""
        here = bool(self._find(None, parts[0])) or (len(parts) > 1 and bool(self._find(parts[0], parts[1])))
        return here or (self.outer is not None and self.outer.knows(parts))

    def column(self, index: int, span: Span | None = None) -> ColumnRef:
        """Return the column at a position."""
        column = self.schema[index]
        return ColumnRef(index=index, name=column.name, type=column.type, span=span)

    def all_of(self, qualifier: Sequence[str], span: Span) -> list[int]:
        """Return the positions that ``*`` or ``t.*`` stands for."""
        if not qualifier:
            return self.visible()
        found = [index for index, name in enumerate(self.qualifiers) if name == qualifier[-1]]
        if not found:
            known = [name for name in dict.fromkeys(self.qualifiers) if name]
            hint = nearest(qualifier[-1], known)
            raise ScriptError("FX-SQL-0203", f"there is no table '{qualifier[-1]}' here", span=span, hint=hint)
        return found

    def visible(self) -> list[int]:
        """Return the positions of the columns that are not hidden."""
        return [index for index in range(len(self.schema)) if index not in self.hidden]

    def _find(self, qualifier: str | None, name: str) -> list[int]:
        return [
            index
            for index, (column, of) in enumerate(zip(self.schema, self.qualifiers, strict=True))
            if column.name == name and (of == qualifier if qualifier is not None else index not in self.hidden)
        ]

    def _fields(self, expr: Expr, names: Sequence[str], span: Span) -> Expr:
        for name in names:
            if not isinstance(expr.type, RowType):
                message = f"'{name}' is no field: {expr.type.name()} has none"
                raise ScriptError("FX-SQL-0201", message, span=span)
            fields = [field for field, _ in expr.type.fields]
            if name not in fields:
                raise ScriptError("FX-SQL-0201", f"there is no field '{name}'", span=span, hint=nearest(name, fields))
            expr = build.call("FIELD", [expr, build.literal(name)], span=span)
        return expr

    def _unknown(self, parts: Sequence[str], span: Span) -> ScriptError:
        known = self.schema.names
        hint = nearest(parts[-1], known) or (f"the columns are {', '.join(known)}" if known else None)
        return ScriptError("FX-SQL-0201", f"there is no column '{'.'.join(parts)}'", span=span, hint=hint)
