"""Tables of a plan as CREATE TEMPORARY TABLE: columns, computed ones, watermark, key and translated options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted, text
from fluxcore.core.types import TimestampType
from fluxcore.expr.nodes import Call, Cast, ColumnRef
from fluxcore.plan.nodes import AssignWatermark, Project, Scan, StampTime
from fluxcore.targets.flink.portability import source_line
from fluxcore.targets.flink.sql.blocks import Block, columns
from fluxcore.targets.flink.sql.expressions import Expressions
from fluxcore.targets.flink.sql.options import flink_options
from fluxcore.targets.flink.sql.type_names import declared

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from fluxcore.core.ports import TableDescription
    from fluxcore.core.schema import Column
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node
    from fluxcore.targets.flink.portability import Report
    from fluxcore.targets.flink.sql.identifiers import Names

_ROWTIME_PRECISION = 3
"""Flink's event times are whole milliseconds; a finer column of one is declared so."""
_KEY_IS_FREE = frozenset({"datagen", "filesystem", "memory"})
"""Connectors that give the same rows whether a primary key is declared or not."""
_WRITABLE_METADATA = {"kafka": ("timestamp", "headers"), "upsert-kafka": ("timestamp", "headers")}


@dataclass(frozen=True)
class Declaration:
    """A table as a plan reads it: with ``project`` computed columns too, with ``time`` a watermark on that column."""

    table: TableDescription
    project: Project | None = None
    time: int | None = None
    watermark: Expr | None = None
    generator: object = None
    key: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Return the names of the columns, in the order of the DDL."""
        return self.table.schema.names if self.project is None else list(self.project.names)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Return the columns of the primary key."""
        return self.key or tuple(self.table.schema[index].name for index in self.table.primary_key)

    def keyed(self, names: tuple[str, ...]) -> Declaration | None:
        """Return the table with a primary key, its own or these columns; None where it can't have one in Flink."""
        if set(self.key_names) == set(names):
            return self
        physical = set(names) <= set(self.table.schema.names)
        free = not self.table.primary_key and self.table.options["connector"] in _KEY_IS_FREE
        return replace(self, key=names) if free and physical else None


def declaration_of(node: Node) -> Declaration | None:
    """Return the table that a node reads as it is declared; None for a query over one."""
    if isinstance(node, Scan):
        whole = (
            node.predicate is None and node.partitions is None and node.columns == tuple(range(len(node.table.schema)))
        )
        return Declaration(node.table) if whole else None
    if isinstance(node, AssignWatermark):
        below = _with_computed(node.input)
        return below and replace(below, time=node.column, watermark=node.expr, generator=node.generator)
    if isinstance(node, StampTime) and not is_clock(node):
        below = _with_computed(node.input)
        time = node.schema[node.column]
        return below and replace(
            below, time=node.column, watermark=ColumnRef(index=node.column, name=time.name, type=time.type)
        )
    return None


def is_clock(node: StampTime) -> bool:
    """Return whether the column is PROCTIME() itself, which Flink has windows over, and no conversion of it."""
    below: Node = node.input
    place = node.column
    while isinstance(below, Project):
        expr = below.exprs[place]
        if not isinstance(expr, ColumnRef):
            return isinstance(expr, Call)
        below, place = below.input, expr.index
    return True


def _with_computed(node: Node) -> Declaration | None:
    """Return the declaration of a table whose computed columns a projection stands for."""
    if not isinstance(node, Project):
        return declaration_of(node) if isinstance(node, Scan) else None
    below = declaration_of(node.input) if isinstance(node.input, Scan) else None
    if below is None:
        return None
    physical = [
        (expr.index, name)
        for name, expr in zip(node.names, node.exprs, strict=True)
        if isinstance(expr, ColumnRef) and name == below.table.schema[expr.index].name
    ]
    refs = sum(isinstance(expr, ColumnRef) for expr in node.exprs)
    if refs != len(physical) or [index for index, _ in physical] != list(range(len(below.table.schema))):
        return None
    return replace(below, project=node) if len(set(node.names)) == len(node.names) else None


class Tables:
    """Declares each table once in each form that a plan reads it in, under a name of its own."""

    def __init__(self, names: Names, report: Report, zone: dt.tzinfo) -> None:
        self.statements: list[str] = []
        self._names = names
        self._report = report
        self._zone = zone
        self._declared: dict[Declaration, str] = {}

    def block(self, declaration: Declaration) -> Block:
        """Return the SELECT of a table."""
        return Block.of_table(self._name(declaration), declaration.names)

    def name(self, table: TableDescription) -> str:
        """Return the name of a table that is written, or asked by key: in whatever form it is declared already."""
        known = next((name for each, name in self._declared.items() if each.table is table), None)
        return known or self._name(Declaration(table))

    def _name(self, declaration: Declaration) -> str:
        if declaration not in self._declared:
            name = self._names.take(declaration.table.name)
            self._declared[declaration] = name
            self.statements.append(self._ddl(declaration, name))
        return self._declared[declaration]

    def _ddl(self, declaration: Declaration, name: str) -> str:
        table = declaration.table
        lines = self._columns(declaration)
        if declaration.key_names:
            key = ", ".join(quoted(each) for each in declaration.key_names)
            lines.append(f"PRIMARY KEY ({key}) NOT ENFORCED")
        if declaration.time is not None and declaration.watermark is not None:
            lines.append(self._watermark(declaration))
        options, unportable = flink_options(table)
        self._report.extend(unportable)
        shown = ",\n".join(f"  {text(key)} = {text(value)}" for key, value in options.items())
        partitioned = ", ".join(quoted(table.schema[index].name) for index in table.partitioned_by)
        by = f" PARTITIONED BY ({partitioned})" if partitioned else ""
        body = ",\n".join(f"  {line}" for line in lines)
        return f"CREATE TEMPORARY TABLE {quoted(name)} (\n{body}\n){by} WITH (\n{shown}\n)"

    def _columns(self, declaration: Declaration) -> list[str]:
        table, project = declaration.table, declaration.project
        if project is None:
            return [self._physical(table, index, declaration.time == index) for index in range(len(table.schema))]
        lines = []
        for place, (name, expr) in enumerate(zip(project.names, project.exprs, strict=True)):
            if isinstance(expr, ColumnRef):
                lines.append(self._physical(table, expr.index, declaration.time == place))
            else:
                lines.append(f"{quoted(name)} AS {self._text(expr, table.schema.names, table)}")
        return lines

    def _physical(self, table: TableDescription, index: int, is_time: bool) -> str:
        column = table.schema[index]
        if is_time:
            column = self._time_column(table, column)
        line = f"{quoted(column.name)} {declared(column.type)}"
        key = table.metadata.get(index)
        if key is None:
            return line
        writable = key in _WRITABLE_METADATA.get(table.options["connector"], ())
        return f"{line} METADATA FROM {text(key)}{'' if writable else ' VIRTUAL'}"

    def _time_column(self, table: TableDescription, column: Column) -> Column:
        """Return an event time as Flink has it, and tell what that cuts off."""
        type_ = column.type
        assert isinstance(type_, TimestampType)
        if type_.precision <= _ROWTIME_PRECISION:
            return column
        self._report.note(
            f"the event time '{column.name}' of table '{table.name}' is cut to milliseconds, the finest that Flink has; "
            f"here it keeps {type_.precision} digits"
        )
        return replace(column, type=replace(type_, precision=_ROWTIME_PRECISION))

    def _watermark(self, declaration: Declaration) -> str:
        assert declaration.time is not None and declaration.watermark is not None
        table = declaration.table
        if declaration.generator is not None:
            named = getattr(declaration.generator, "__name__", type(declaration.generator).__name__)
            why = "Flink SQL takes a watermark as an expression over the row"
            line = source_line(declaration.generator)
            self._report.add(f"the watermark generator {named}", why, line or f"table '{table.name}'")
        names = declaration.names
        shown = self._text(_lean_time(declaration.watermark), names, table)
        return f"WATERMARK FOR {quoted(names[declaration.time])} AS {shown}"

    def _text(self, expr: Expr, names: Sequence[str], table: TableDescription) -> str:
        return Expressions(columns(names), self._report, self._zone, f"table '{table.name}'").text(expr)


def _lean_time(expr: Expr) -> Expr:
    """Return a watermark without a conversion around it that only changes its precision."""
    inner = expr.arg if isinstance(expr, Cast) else None
    if inner is not None and isinstance(inner.type, TimestampType) and isinstance(expr.type, TimestampType):
        return inner if inner.type.local == expr.type.local else expr
    return expr
