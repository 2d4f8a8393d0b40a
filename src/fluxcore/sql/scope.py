"""The names that an expression can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.types import RowType
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef, Expr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.schema import Schema
    from fluxcore.errors import Span


@dataclass(frozen=True)
class Scope:
    """Columns by position with the alias of the relation that each comes from."""

    schema: Schema
    qualifiers: tuple[str | None, ...]

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
        raise self._unknown(parts, span)

    def column(self, index: int, span: Span | None = None) -> ColumnRef:
        """Return the column at a position."""
        column = self.schema[index]
        return ColumnRef(index=index, name=column.name, type=column.type, span=span)

    def all_of(self, qualifier: Sequence[str], span: Span) -> list[int]:
        """Return the positions that ``*`` or ``t.*`` stands for."""
        if not qualifier:
            return list(range(len(self.schema)))
        found = [index for index, name in enumerate(self.qualifiers) if name == qualifier[-1]]
        if not found:
            known = [name for name in dict.fromkeys(self.qualifiers) if name]
            hint = nearest(qualifier[-1], known)
            raise ScriptError("FX-SQL-0203", f"there is no table '{qualifier[-1]}' here", span=span, hint=hint)
        return found

    def _find(self, qualifier: str | None, name: str) -> list[int]:
        return [
            index
            for index, (column, of) in enumerate(zip(self.schema, self.qualifiers, strict=True))
            if column.name == name and (qualifier is None or of == qualifier)
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
