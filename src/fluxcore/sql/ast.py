"""The syntax tree: frozen nodes that keep their place in the script. Places never count when two trees are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.core.user_functions import AnyUserFunction
    from fluxcore.errors import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The root of all nodes."""

    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression(Tree):
    """The root of all expressions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Expression):
    """A name with its qualifiers: ``t.row.field``."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Star(Expression):
    """``*`` or ``t.*``."""

    qualifier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Expression):
    """A constant; ``type`` None lets it follow from the value."""

    value: Any
    type: DataType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall(Expression):
    """A function or operator applied to arguments, with what only aggregates have.

    ``user`` is the function of the user's that the name means, once that is known.
    """

    name: str
    args: tuple[Expression, ...]
    distinct: bool = False
    star: bool = False
    where: Expression | None = None
    over: OverClause | None = None
    named: tuple[tuple[str, Expression], ...] = ()
    qualifier: tuple[str, ...] = ()
    user: AnyUserFunction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CastTo(Expression):
    """CAST or TRY_CAST."""

    arg: Expression
    type: DataType
    lenient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SubQuery(Expression):
    """A query as a value (``kind`` SCALAR), or behind EXISTS, IN or a comparison with ANY, such as ``<``.

    ``left`` is what IN looks for, or what is compared.
    """

    query: Query
    kind: str
    left: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingSet(Expression):
    """Several keys of GROUP BY as one (``kind`` LIST), or several groupings: SETS, ROLLUP, CUBE."""

    kind: str
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableArgument(Expression):
    """``TABLE t [PARTITION BY …]`` as an argument of a window function."""

    table: Relation
    partition: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor(Expression):
    """``DESCRIPTOR(column)``."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem(Tree):
    """One key of ORDER BY."""

    expr: Expression
    descending: bool = False
    nulls_first: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameBound(Tree):
    """A bound of a frame: ``reach`` rows or units before the current row, or ``following`` it; None is UNBOUNDED."""

    reach: Expression | None
    following: bool = False
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OverClause(Tree):
    """OVER (...): ``rows`` None means that no frame was written."""

    partition: tuple[Expression, ...] = ()
    order: tuple[OrderItem, ...] = ()
    rows: bool | None = None
    start: FrameBound | None = None
    end: FrameBound | None = None
    window: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionPair(Tree):
    """``'key' = 'value'``; the span is the key's, ``value_span`` the value's."""

    key: str
    value: str
    value_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation(Tree):
    """The root of what stands in FROM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableName(Relation):
    """A table or view by name; ``options`` are those of the hint OPTIONS."""

    parts: tuple[str, ...]
    options: tuple[OptionPair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliased(Relation):
    """A relation under another name, and with other column names."""

    relation: Relation
    alias: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf(Relation):
    """``t FOR SYSTEM_TIME AS OF time``: the right side of a join as it was then."""

    relation: Relation
    time: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Relation):
    """A query in brackets; with ``lateral`` it sees the columns of the relations before it."""

    query: Query
    lateral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowTable(Relation):
    """TUMBLE, HOP, CUMULATE or SESSION over a table."""

    call: FunctionCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnest(Relation):
    """``UNNEST(collection) [WITH ORDINALITY]``: it sees the columns of what stands before it in FROM."""

    arg: Expression
    ordinality: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFunction(Relation):
    """``[LATERAL] TABLE(f(x))``: it sees the columns of what stands before it in FROM."""

    call: FunctionCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogTable(Relation):
    """TO_CHANGELOG or FROM_CHANGELOG over a table."""

    call: FunctionCall


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPattern(Tree):
    """A part of PATTERN: ``kind`` NAME, SEQUENCE, CHOICE, PERMUTE or EXCLUDED; how often it stands, and how greedily."""

    kind: str
    name: str = ""
    parts: tuple[RowPattern, ...] = ()
    least: int = 1
    most: int | None = 1
    greedy: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRecognize(Relation):
    """MATCH_RECOGNIZE over a relation; ``skip`` is where the next match begins, with the variable that it names."""

    relation: Relation
    partition: tuple[Expression, ...]
    order: tuple[OrderItem, ...]
    measures: tuple[SelectItem, ...]
    pattern: RowPattern
    defines: tuple[tuple[str, Expression], ...]
    all_rows: bool = False
    skip: tuple[str, str] = ("PAST LAST ROW", "")
    within: Constant | None = None
    subsets: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Relation):
    """A join; ``using`` names columns that both sides have, and ``natural`` means all of those."""

    left: Relation
    right: Relation
    kind: str
    condition: Expression | None = None
    using: tuple[str, ...] = ()
    natural: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectItem(Tree):
    """One column of a select list."""

    expr: Expression
    alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Tree):
    """The root of queries; ``order``, ``limit`` and ``offset`` belong to the whole, ``tables`` is WITH."""

    order: tuple[OrderItem, ...] = ()
    limit: int | None = None
    offset: int = 0
    tables: tuple[tuple[str, tuple[str, ...], Query], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Query):
    """SELECT; ``lifetimes`` are those (ms) that the hint STATE_TTL gives tables by name or alias."""

    items: tuple[SelectItem, ...]
    source: Relation | None = None
    where: Expression | None = None
    group: tuple[Expression, ...] | None = None
    having: Expression | None = None
    qualify: Expression | None = None
    distinct: bool = False
    windows: tuple[tuple[str, OverClause], ...] = ()
    lifetimes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesQuery(Query):
    """VALUES."""

    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuery(Query):
    """UNION, INTERSECT or EXCEPT of two queries."""

    kind: str
    all: bool
    left: Query
    right: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Tree):
    """The root of statements."""
