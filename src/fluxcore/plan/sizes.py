"""Estimates how many rows a plan node gives, from the sizes of files and tables: exact where a source knows, else a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.types import ArrayType, BytesType, MapType, RowType, StringType, VariantType
from fluxcore.errors import FluxError
from fluxcore.expr.nodes import Call, ColumnRef
from fluxcore.expr.pushdown import conjuncts
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Filter,
    Join,
    JoinKind,
    OneInput,
    Project,
    Rank,
    Scan,
    Sort,
    Union,
    Values,
    WindowAggregate,
)
from fluxcore.plan.requests import scan_request

if TYPE_CHECKING:
    from fluxcore.core.schema import Schema
    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

_SHARES = {"=": 0.1, "IN": 0.2, "<>": 0.9, "IS NULL": 0.1, "IS NOT NULL": 0.9, "LIKE": 0.25}
_OTHER_SHARE = 0.4
_GROUPS_SHARE = 0.1
_TEXT_BYTES = 20
_NUMBER_BYTES = 9


@dataclass(frozen=True)
class Size:
    """A number of rows; ``exact`` where it was counted, not estimated."""

    rows: float
    exact: bool = False

    def describe(self) -> str:
        """Return it as EXPLAIN shows it: ``1000``, or ``~1200`` for an estimate, to two digits."""
        if self.exact:
            return str(int(self.rows))
        whole = max(1, round(self.rows))
        digits = len(str(whole)) - 2
        return f"~{round(whole, -digits) if digits > 0 else whole}"


class Sizes:
    """The sizes of plan nodes under some settings; each source is asked once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[Node, Size | None] = {}
        self._tables: dict[tuple[int, Expr | None], Size | None] = {}

    def of(self, node: Node) -> Size | None:
        """Return the size of a node; None where a source doesn't know, or never ends."""
        if node not in self._known:
            self._known[node] = self._size(node)
        return self._known[node]

    def _size(self, node: Node) -> Size | None:
        match node:
            case Scan():
                return _kept(self.table(node), node.predicate, node.limit)
            case Values():
                return Size(len(node.rows), exact=True)
            case Filter():
                return _kept(self.of(node.input), node.condition)
            case Project() | AssignWatermark():
                return self.of(node.input)
            case Sort():
                below = self.of(node.input)
                return below if node.offset else _kept(below, None, node.limit)
            case Aggregate() if not node.keys:
                return Size(1, exact=True)
            case Aggregate() | WindowAggregate():
                return _times(self.of(node.input), _GROUPS_SHARE)
            case Rank():
                return _times(self.of(node.input), 1.0)
            case Union():
                return _sum([self.of(branch) for branch in node.branches])
            case Join():
                return self._join(node)
            case OneInput():
                return _times(self.of(node.input), 1.0)
        return None

    def table(self, node: Scan) -> Size | None:
        """Return the rows of a whole table, or of the partitions that are read; None where the source doesn't know, or never ends."""
        key = (id(node.table), node.partitions)
        if key not in self._tables:
            self._tables[key] = _asked(node, self._settings)
        return self._tables[key]

    def _join(self, node: Join) -> Size | None:
        left, right = self.of(node.left), self.of(node.right)
        if left is None or right is None:
            return None
        if node.kind in (JoinKind.SEMI, JoinKind.ANTI):
            return Size(left.rows / 2)
        pairs = left.rows * right.rows
        if node.left_keys:
            pairs = self.joined((node.left, node.left_keys[0]), (node.right, node.right_keys[0]))
        if node.condition is not None:
            pairs *= share_of(node.condition)
        if node.kind in (JoinKind.LEFT, JoinKind.FULL):
            pairs = max(pairs, left.rows)
        if node.kind in (JoinKind.RIGHT, JoinKind.FULL):
            pairs = max(pairs, right.rows)
        return Size(pairs)

    def joined(self, left: tuple[Node, int], right: tuple[Node, int]) -> float:
        """Return how many pairs of two nodes have an equal key, each (node, column), whose sizes are known.

        The side with fewer rows, before filters, is taken to have each value of the key once.
        """
        first, second = self.of(left[0]), self.of(right[0])
        assert first is not None and second is not None, "asked for nodes of known sizes"
        values = min(self._values(*left, first), self._values(*right, second))
        return first.rows * second.rows / max(values, 1.0)

    def _values(self, node: Node, column: int, own: Size) -> float:
        """Return how many rows the table has that a column comes from; those of the node where that isn't told."""
        if isinstance(node, Scan):
            table = self.table(node)
            return own.rows if table is None else table.rows
        if isinstance(node, Project):
            expr = node.exprs[column]
            return self._values(node.input, expr.index, own) if isinstance(expr, ColumnRef) else own.rows
        if isinstance(node, Filter | AssignWatermark):
            return self._values(node.input, column, own)
        if isinstance(node, Join):
            width = len(node.left.schema)
            return (
                self._values(node.left, column, own)
                if column < width
                else self._values(node.right, column - width, own)
            )
        return own.rows


def _asked(node: Scan, settings: Settings) -> Size | None:
    try:
        connector = registry.connector(node.table.options["connector"])
        source = connector.source(scan_request(node, settings))
        if not source.bounded:
            return None
        rows = source.rows()
        if rows is not None:
            return Size(rows, exact=True)
        source.splits()
        size = source.size()
    except FluxError:  # what can't be read yet has no size: the job says why when it runs
        return None
    return None if size is None else Size(max(1.0, size / _row_bytes(node.table.schema)))


def _row_bytes(schema: Schema) -> int:
    wide = (StringType, BytesType, VariantType, ArrayType, MapType, RowType)
    return sum(_TEXT_BYTES if isinstance(column.type, wide) else _NUMBER_BYTES for column in schema)


def _kept(size: Size | None, condition: Expr | None, limit: int | None = None) -> Size | None:
    if size is None:
        return None
    if condition is not None:
        size = Size(size.rows * share_of(condition))
    if limit is not None and limit < size.rows:
        size = Size(limit, exact=size.exact)
    return size


def _times(size: Size | None, share: float) -> Size | None:
    return None if size is None else Size(size.rows * share)


def _sum(sizes: list[Size | None]) -> Size | None:
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    return Size(sum(size.rows for size in known), exact=all(size.exact for size in known))


def share_of(condition: Expr) -> float:
    """Return the guessed share of rows that meet a condition."""
    share = 1.0
    for part in conjuncts(condition):
        share *= _SHARES.get(part.function, _OTHER_SHARE) if isinstance(part, Call) else _OTHER_SHARE
    return share
