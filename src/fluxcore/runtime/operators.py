"""Which operator carries a plan node out, and how its input must be spread over tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.async_call import AsyncCall
from fluxcore.core.batch_function import BatchFunction
from fluxcore.core.ports import CustomOperator
from fluxcore.errors import ScriptError, not_supported
from fluxcore.operators.group_aggregate import GroupAggregateOperator, GroupAggregateOptions
from fluxcore.operators.order.frames import OverFunction
from fluxcore.operators.order.over import OverOperator, OverOptions
from fluxcore.operators.order.sort import SortOperator, SortOptions
from fluxcore.operators.order.sorted_over import SortedOverOperator
from fluxcore.operators.order.time_sort import TimeSortOperator, TimeSortOptions
from fluxcore.operators.process.async_rows import AsyncOperator, AsyncOptions
from fluxcore.operators.process.batches import BatchOperator, BatchOptions
from fluxcore.operators.process.connected import BroadcastOperator, ConnectedOptions, TwoInputOperator
from fluxcore.operators.process.rows import ProcessOperator, ProcessOptions
from fluxcore.operators.ranking.top_n import TopNOperator
from fluxcore.operators.ranking.tree_top_n import TreeTopNOperator
from fluxcore.operators.ranking.updated_top_n import UpdatedTopNOperator
from fluxcore.operators.ranking.window_rank import RankOptions, WindowRankOperator
from fluxcore.operators.sort_words import OrderKey
from fluxcore.operators.stamp_watermark import StampWatermarkOperator
from fluxcore.operators.windows.session_aggregate import SessionAggregateOperator, SessionOptions
from fluxcore.operators.windows.session_assign import SessionAssignOperator, SessionAssignOptions
from fluxcore.operators.windows.slicing import Slicing
from fluxcore.operators.windows.triggered_aggregate import TriggeredAggregateOperator, TriggeredOptions
from fluxcore.operators.windows.window_aggregate import WindowAggregateOperator, WindowAggregateOptions
from fluxcore.operators.windows.window_assign import AssignKind, Shape
from fluxcore.operators.windows.window_partial import WindowPartials
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.current_watermark import CurrentWatermark
from fluxcore.plan.endless import is_bounded
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWindow,
    Attached,
    Connect,
    Join,
    Over,
    Process,
    Rank,
    Sort,
    TemporalJoin,
    TimeSort,
    WindowAggregate,
    WindowKind,
)
from fluxcore.plan.triggered import TriggeredAggregate
from fluxcore.runtime.joins import join_recipe, lookup_join_recipe, temporal_join_recipe
from fluxcore.runtime.recipe import (
    Recipe,
    operator_name,
    plain,
    zone_of_windows,
)
from fluxcore.state.backend import MemoryStateBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node, SortKey


def recipe_of(node: Node, settings: Settings, *, final_only: bool) -> Recipe:
    """Return the recipe of a stateful node; ``final_only`` where nobody asks for a bounded query's changes.

    Raises: ``ScriptError`` FX-SQL-0900 for what can't be executed yet.
    """
    if isinstance(node, TemporalJoin) and is_append_only(node.left):
        return temporal_join_recipe(node, settings)
    windowed = (isinstance(node, Join) and node.left_window) or (isinstance(node, Rank) and node.window)
    takes_updates = isinstance(node, Join | Aggregate | Rank | Sort) or (isinstance(node, Over) and node.at_end)
    takes_updates |= isinstance(node, WindowAggregate) and not _merges(node)
    if (windowed or not takes_updates) and not all(is_append_only(each) for each in node.inputs):
        raise not_supported(f"{type(node).__name__} over rows that are updated")
    match node:
        case WindowAggregate():
            return _window_aggregate(node, settings)
        case TriggeredAggregate():
            return _triggered_aggregate(node, settings)
        case AssignWindow():
            return _assign_session(node, settings)
        case Aggregate():
            return _aggregate(node, final_only=final_only)
        case Join():
            return join_recipe(node, settings)
        case LookupJoin():
            return lookup_join_recipe(node, settings)
        case Rank():
            return _rank(node, settings, final_only=final_only)
        case Over():
            return _over(node, settings)
        case Sort():
            return _sort(node)
        case TimeSort():
            by_time = TimeSortOptions(plain(node.input.schema), _order(node.keys))
            return Recipe(operator_name(node), lambda: TimeSortOperator(by_time), ((),))
        case CurrentWatermark():
            stamped = plain(node.schema)
            return Recipe(operator_name(node), lambda: StampWatermarkOperator(stamped), ((),))
        case Process():
            return _process(node)
        case Connect():
            return _connect(node)
    raise not_supported(type(node).__name__)


def _process(node: Process) -> Recipe:
    name, types, function = operator_name(node), tuple(node.input.schema.types), node.function
    if isinstance(function, BatchFunction):
        batches = BatchOptions(function, types, node.keys, plain(node.schema))
        return Recipe(name, lambda: BatchOperator(batches), (node.keys,))
    if isinstance(function, AsyncCall):
        calls = AsyncOptions(function, plain(node.input.schema), plain(node.schema))
        return Recipe(name, lambda: AsyncOperator(calls), ((),))
    if isinstance(function, CustomOperator):
        return Recipe(name, function.make, (node.keys,))
    rows = ProcessOptions(function, types, node.keys, plain(node.schema))
    return Recipe(name, lambda: ProcessOperator(rows), (node.keys,))


def _connect(node: Connect) -> Recipe:
    types = tuple(node.left.schema[index].type for index in node.left_keys)
    if not node.broadcast:  # a key that may be NULL on one side may be in the state
        right = (node.right.schema[index].type for index in node.right_keys)
        types = tuple(a.with_nullable(a.nullable or b.nullable) for a, b in zip(types, right, strict=True))
    options = ConnectedOptions(node.function, types, (node.left_keys, node.right_keys), plain(node.schema))
    operator = BroadcastOperator if node.broadcast else TwoInputOperator
    return Recipe(
        operator_name(node),
        lambda: operator(options),
        (node.left_keys, node.right_keys),
        broadcast=frozenset({1}) if node.broadcast else frozenset(),
    )


def _merges(node: WindowAggregate) -> bool:
    """Return whether a node makes sessions, which grow together."""
    return node.spec.kind is WindowKind.SESSION and not isinstance(node.window, Attached)


def _window_aggregate(node: WindowAggregate, settings: Settings) -> Recipe:
    spec, source = node.spec, node.input.schema
    attached = isinstance(node.window, Attached)
    time = node.window.end if isinstance(node.window, Attached) else node.window.time
    if _merges(node):
        return _session_aggregate(node, settings)
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
        zone=zone_of_windows(spec, settings),
        updated=not is_append_only(node.input),
    )
    WindowAggregateOperator(options)  # what can't be executed is refused before the job starts
    partials = WindowPartials(options, MemoryStateBackend) if WindowPartials.possible(options) else None
    return Recipe(operator_name(node), lambda: WindowAggregateOperator(options), (node.keys,), partials)


def _triggered_aggregate(node: TriggeredAggregate, settings: Settings) -> Recipe:
    spec, source = node.window, node.input.schema
    fixed = spec.kind not in (WindowKind.SESSION, WindowKind.GLOBAL)
    options = TriggeredOptions(
        types=tuple(source.types),
        schema=plain(source),
        time=spec.time,
        keys=node.keys,
        calls=node.calls,
        trigger=node.trigger,
        output=plain(node.schema),
        shape=Shape(AssignKind(spec.kind.value), spec.size, spec.slide, spec.offset) if fixed else None,
        gap=spec.size if spec.kind is WindowKind.SESSION else 0,
        evictor=node.evictor,
        lateness=node.lateness,
        updates=node.updates,
        zone=zone_of_windows(spec, settings),
    )
    TriggeredAggregateOperator(options)
    return Recipe(operator_name(node), lambda: TriggeredAggregateOperator(options), (node.keys,))


def _session_aggregate(node: WindowAggregate, settings: Settings) -> Recipe:
    source, spec = node.input.schema, node.spec
    options = SessionOptions(
        types=tuple(source.types),
        time=spec.time,
        keys=node.keys,
        calls=node.calls,
        gap=spec.size,
        output=plain(node.schema),
        time_name=source[spec.time].name,
        zone=zone_of_windows(spec, settings),
    )
    SessionAggregateOperator(options)
    return Recipe(operator_name(node), lambda: SessionAggregateOperator(options), (node.keys,))


def _assign_session(node: AssignWindow, settings: Settings) -> Recipe:
    source, spec = node.input.schema, node.window
    sessions = spec.time, spec.partition, spec.size
    output, zone = plain(node.schema), zone_of_windows(spec, settings)
    options = SessionAssignOptions(plain(source), tuple(source.types), *sessions, output, zone)
    return Recipe(operator_name(node), lambda: SessionAssignOperator(options), (spec.partition,))


def _aggregate(node: Aggregate, *, final_only: bool) -> Recipe:
    options = GroupAggregateOptions(
        types=tuple(node.input.schema.types),
        keys=node.keys,
        calls=node.calls,
        output=plain(node.schema),
        at_end=final_only and not node.ttl_ms,
        append_only=is_append_only(node.input),
        ttl_ms=node.ttl_ms,
    )
    GroupAggregateOperator(options)
    return Recipe(operator_name(node), lambda: GroupAggregateOperator(options), (node.keys,))


def _order(keys: Sequence[SortKey]) -> tuple[OrderKey, ...]:
    return tuple(OrderKey(key.column, key.descending, key.nulls_first) for key in keys)


def _rank(node: Rank, settings: Settings, *, final_only: bool) -> Recipe:
    options = RankOptions(
        schema=plain(node.input.schema),
        output=plain(node.schema),
        partition=node.partition,
        order=_order(node.order),
        last=node.last,
        first=node.first,
        later_first=node.later_first,
        window_end=node.window.end if node.window else -1,
        ttl_ms=node.ttl_ms,
        zone=zone_of_windows(node.window.spec, settings) if node.window else None,
    )
    name, keys, types = operator_name(node), (node.partition,), tuple(node.input.schema.types)
    if node.window:
        return Recipe(name, lambda: WindowRankOperator(options), keys)
    append_only = is_append_only(node.input)
    if not append_only and not final_only and not node.ttl_ms and TreeTopNOperator.possible(options):
        return Recipe(name, lambda: TreeTopNOperator(options, types), keys)
    operator = TopNOperator if append_only else UpdatedTopNOperator
    at_end = final_only and not node.ttl_ms
    return Recipe(name, lambda: operator(options, types, at_end=at_end), keys)


def _over(node: Over, settings: Settings) -> Recipe:
    options = OverOptions(
        types=tuple(node.input.schema.types),
        schema=plain(node.input.schema),
        output=plain(node.schema),
        partition=node.partition,
        time=-1 if node.time is None else node.time,
        functions=tuple(OverFunction(each.call, each.rows, each.preceding, each.following) for each in node.calls),
    )
    if node.time is not None:
        OverOperator(options)
        return Recipe(operator_name(node), lambda: OverOperator(options), (node.partition,))
    order = _order(node.order)
    SortedOverOperator(options, order)
    if not is_bounded(node, settings):
        ahead = next((each for each in options.functions if each.looks_ahead), None)
        hint = "order by the column that the watermark is on, ascending"
        message = "OVER must be ordered by event time where the input never ends"
        if ahead is not None and order:
            hint = "end the frame at CURRENT ROW, or join the rows with themselves"
            message = f"{ahead.call.function} looks at rows behind the current one, which needs an input that ends"
        span = (ahead or node.calls[0]).call.span if node.calls else None
        raise ScriptError("FX-SQL-0405", message, span=span, hint=hint)
    return Recipe(operator_name(node), lambda: SortedOverOperator(options, order), (node.partition,))


def _sort(node: Sort) -> Recipe:
    updating = not is_append_only(node.input)
    options = SortOptions(plain(node.input.schema), _order(node.keys), node.limit, node.offset, updating)
    return Recipe(operator_name(node), lambda: SortOperator(options), ((),))
