"""Which operator carries a plan node out, and how its input must be spread over tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.types import ArrayType, MapType, RowType, StringType, TimestampType
from fluxcore.errors import not_supported
from fluxcore.expr.compile import compile_predicate
from fluxcore.expr.nodes import columns_of, moved
from fluxcore.operators.group_aggregate import GroupAggregateOperator, GroupAggregateOptions
from fluxcore.operators.join import JoinOperator, JoinOptions
from fluxcore.operators.join_side import JoinInput
from fluxcore.operators.over import OverFunction, OverOperator, OverOptions
from fluxcore.operators.session_aggregate import SessionAggregateOperator, SessionOptions
from fluxcore.operators.session_assign import SessionAssignOperator, SessionAssignOptions
from fluxcore.operators.slicing import Slicing
from fluxcore.operators.sort import SortOperator, SortOptions
from fluxcore.operators.sort_words import OrderKey
from fluxcore.operators.top_n import TopNOperator
from fluxcore.operators.updated_top_n import UpdatedTopNOperator
from fluxcore.operators.window_aggregate import WindowAggregateOperator, WindowAggregateOptions
from fluxcore.operators.window_join import JoinRows, JoinSide, WindowJoinOperator, WindowJoinOptions
from fluxcore.operators.window_partial import WindowPartials
from fluxcore.operators.window_rank import RankOptions, WindowRankOperator
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWindow,
    Attached,
    Join,
    Over,
    Rank,
    Scan,
    Sort,
    WindowAggregate,
    WindowKind,
)
from fluxcore.state.backend import MemoryStateBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.batch import Batch
    from fluxcore.core.partial import Partial
    from fluxcore.core.ports import Operator
    from fluxcore.core.schema import Schema
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node, SortKey, WindowSpec


@dataclass(frozen=True)
class Recipe:
    """How to make a node's operator: ``keys`` the positions by which each input is spread, empty for a single task.

    ``partials`` aggregates rows before they are sent, where that is possible.
    """

    name: str
    make: Callable[[], Operator]
    keys: tuple[tuple[int, ...], ...]
    partials: Callable[[Batch], Partial | None] | None = None


def recipe_of(node: Node, settings: Settings, *, final_only: bool) -> Recipe:
    """Return the recipe of a stateful node; ``final_only`` where nobody asks for a bounded query's changes.

    Raises: ``ScriptError`` FX-SQL-0900 for what can't be executed yet.
    """
    windowed = (isinstance(node, Join) and node.left_window) or (isinstance(node, Rank) and node.window)
    if (windowed or not isinstance(node, Join | Aggregate | Rank | Sort)) and not all(
        is_append_only(each) for each in node.inputs
    ):
        raise not_supported(f"{type(node).__name__} over rows that are updated")
    match node:
        case WindowAggregate():
            return _window_aggregate(node, settings)
        case AssignWindow():
            return _assign_session(node)
        case Aggregate():
            return _aggregate(node, final_only=final_only)
        case Join():
            return _join(node, settings)
        case Rank():
            return _rank(node, final_only=final_only)
        case Over():
            return _over(node)
        case Sort():
            return _sort(node)
    raise not_supported(type(node).__name__)


def operator_name(node: Node) -> str:
    """Return what metrics and messages call a node: its kind and the tables whose rows reach it."""
    tables = ", ".join(dict.fromkeys(each.table.name for each in in_order([node]) if isinstance(each, Scan)))
    kind = type(node).__name__
    if isinstance(node, WindowAggregate):
        return f"{kind}({node.spec.kind.value}, {tables})"
    if isinstance(node, Join | Rank) and (node.left_window if isinstance(node, Join) else node.window):
        kind = f"Window{kind}"
    return f"{kind}({tables})"


def plain(schema: Schema) -> pa.Schema:
    """Return the Arrow schema with all fields nullable: outer joins and coercions must never trip over a flag."""
    return pa.schema([pa.field(column.name, column.type.arrow()) for column in schema])


def _window_aggregate(node: WindowAggregate, settings: Settings) -> Recipe:
    spec, source = node.spec, node.input.schema
    attached = isinstance(node.window, Attached)
    time = node.window.end if isinstance(node.window, Attached) else node.window.time
    type_ = source[time].type
    if isinstance(type_, TimestampType) and type_.local and settings.text("table.local-time-zone") != "UTC":
        raise not_supported(
            "windows over TIMESTAMP_LTZ in another zone than UTC", hint="SET 'table.local-time-zone' = 'UTC'"
        )
    if spec.kind is WindowKind.SESSION and not attached:
        return _session_aggregate(node, spec)
    ends_alone = spec.kind is not WindowKind.SESSION
    keys = node.keys if ends_alone or not isinstance(node.window, Attached) else (*node.keys, node.window.start)
    options = WindowAggregateOptions(
        types=tuple(source.types),
        time=time,
        keys=keys,
        calls=node.calls,
        slicing=Slicing(spec.kind.value, spec.size, spec.slide, spec.offset, attached),
        output=plain(node.schema),
        time_name=source[time].name,
    )
    WindowAggregateOperator(options)  # what can't be executed is refused before the job starts
    partials = WindowPartials(options, MemoryStateBackend) if WindowPartials.possible(options) else None
    return Recipe(operator_name(node), lambda: WindowAggregateOperator(options), (node.keys,), partials)


def _session_aggregate(node: WindowAggregate, spec: WindowSpec) -> Recipe:
    source = node.input.schema
    options = SessionOptions(
        types=tuple(source.types),
        time=spec.time,
        keys=node.keys,
        calls=node.calls,
        gap=spec.size,
        output=plain(node.schema),
        time_name=source[spec.time].name,
    )
    SessionAggregateOperator(options)
    return Recipe(operator_name(node), lambda: SessionAggregateOperator(options), (node.keys,))


def _assign_session(node: AssignWindow) -> Recipe:
    source, spec = node.input.schema, node.window
    options = SessionAssignOptions(
        plain(source), tuple(source.types), spec.time, spec.partition, spec.size, plain(node.schema)
    )
    return Recipe(operator_name(node), lambda: SessionAssignOperator(options), (spec.partition,))


def _aggregate(node: Aggregate, *, final_only: bool) -> Recipe:
    options = GroupAggregateOptions(
        types=tuple(node.input.schema.types),
        keys=node.keys,
        calls=node.calls,
        output=plain(node.schema),
        at_end=final_only,
        append_only=is_append_only(node.input),
    )
    GroupAggregateOperator(options)
    return Recipe(operator_name(node), lambda: GroupAggregateOperator(options), (node.keys,))


def _join(node: Join, settings: Settings) -> Recipe:
    residual = None
    columns: tuple[int, ...] = ()
    if node.condition is not None:
        columns = tuple(sorted(columns_of(node.condition)))
        condition = moved(node.condition, {old: new for new, old in enumerate(columns)})
        residual = compile_predicate(condition, settings)
    if node.left_window is None or node.right_window is None:
        options = JoinOptions(
            kind=JoinRows(node.kind.value),
            left=_join_input(node.left, node.left_keys),
            right=_join_input(node.right, node.right_keys),
            key_types=tuple(node.left.schema[index].type.with_nullable(False) for index in node.left_keys),
            output=plain(node.schema),
            residual=residual,
            residual_columns=columns,
        )
        return Recipe(operator_name(node), lambda: JoinOperator(options), (node.left_keys, node.right_keys))
    return _window_join(node, residual, columns)


def _join_input(node: Node, keys: tuple[int, ...]) -> JoinInput:
    append_only = is_append_only(node)
    if not append_only:
        _refuse_nested(node, "a join")
    return JoinInput(plain(node.schema), tuple(node.schema.types), keys, append_only)


def _refuse_nested(node: Node, what: str) -> None:
    """Rows that may be taken back are found by their values, which nested ones can't be yet."""
    for column in node.schema:
        if isinstance(column.type, ArrayType | MapType | RowType):
            raise not_supported(f"{what} of updated rows with {column.type.name()} (column {column.name})")


def _window_join(
    node: Join, residual: Callable[[pa.RecordBatch], pa.BooleanArray] | None, columns: tuple[int, ...]
) -> Recipe:
    assert node.left_window is not None
    assert node.right_window is not None
    options = WindowJoinOptions(
        kind=JoinRows(node.kind.value),
        left=JoinSide(plain(node.left.schema), node.left_window.end, node.left_window.start, node.left_keys),
        right=JoinSide(plain(node.right.schema), node.right_window.end, node.right_window.start, node.right_keys),
        output=plain(node.schema),
        residual=residual,
        residual_columns=columns if residual else None,
    )
    same = all(
        isinstance(node.left.schema[a].type, StringType) == isinstance(node.right.schema[b].type, StringType)
        for a, b in zip(node.left_keys, node.right_keys, strict=True)
    )
    keys = (node.left_keys, node.right_keys) if same else ((), ())
    return Recipe(operator_name(node), lambda: WindowJoinOperator(options), keys)


def _order(keys: Sequence[SortKey]) -> tuple[OrderKey, ...]:
    return tuple(OrderKey(key.column, key.descending, key.nulls_first) for key in keys)


def _rank(node: Rank, *, final_only: bool) -> Recipe:
    options = RankOptions(
        schema=plain(node.input.schema),
        output=plain(node.schema),
        partition=node.partition,
        order=_order(node.order),
        last=node.last,
        first=node.first,
        later_first=node.later_first,
        window_end=node.window.end if node.window else -1,
    )
    name, keys, types = operator_name(node), (node.partition,), tuple(node.input.schema.types)
    if node.window:
        return Recipe(name, lambda: WindowRankOperator(options), keys)
    append_only = is_append_only(node.input)
    if not append_only:
        _refuse_nested(node.input, "a ranking")
    operator = TopNOperator if append_only else UpdatedTopNOperator
    return Recipe(name, lambda: operator(options, types, at_end=final_only), keys)


def _over(node: Over) -> Recipe:
    options = OverOptions(
        types=tuple(node.input.schema.types),
        schema=plain(node.input.schema),
        output=plain(node.schema),
        partition=node.partition,
        time=node.time,
        functions=tuple(OverFunction(each.call, each.rows, each.preceding) for each in node.calls),
    )
    OverOperator(options)
    return Recipe(operator_name(node), lambda: OverOperator(options), (node.partition,))


def _sort(node: Sort) -> Recipe:
    updating = not is_append_only(node.input)
    options = SortOptions(plain(node.input.schema), _order(node.keys), node.limit, node.offset, updating)
    return Recipe(operator_name(node), lambda: SortOperator(options), ((),))
