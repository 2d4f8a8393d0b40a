"""The operators of joins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.core.lookups import AskedTable
from fluxcore.core.types import StringType
from fluxcore.expr.compile import compile_predicate
from fluxcore.expr.nodes import columns_of, moved
from fluxcore.operators.joins.join import JoinOperator, JoinOptions
from fluxcore.operators.joins.join_side import JoinInput
from fluxcore.operators.joins.lookup_join import LookupJoinOperator, LookupJoinOptions
from fluxcore.operators.joins.outside_join import OutsideJoinOperator, OutsideJoinOptions
from fluxcore.operators.joins.residuals import Residual
from fluxcore.operators.joins.semi_join import SemiJoinOperator
from fluxcore.operators.joins.temporal_join import TemporalJoinOperator, TemporalJoinOptions, TemporalSide
from fluxcore.operators.joins.window_join import JoinRows, JoinSide, WindowJoinOperator, WindowJoinOptions
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.endless import is_bounded
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import Join, JoinKind, TemporalJoin
from fluxcore.runtime.recipe import Recipe, operator_name, plain, zone_of_windows

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings
    from fluxcore.core.types import DataType
    from fluxcore.plan.nodes import Node


def join_recipe(node: Join, settings: Settings) -> Recipe:
    """Return the recipe of a regular join, or of one within windows."""
    residual = _residual(node, settings)
    if node.left_window is not None and node.right_window is not None:
        return _window_join(node, residual, settings)
    apart = node.interval
    left = _join_input(node.left, node.left_keys, apart.left if apart else None)
    right = _join_input(node.right, node.right_keys, apart.right if apart else None)
    options = JoinOptions(
        kind=JoinRows(node.kind.value),
        left=replace(left, ttl_ms=node.ttl_ms[0]),
        right=replace(right, ttl_ms=node.ttl_ms[1]),
        key_types=_key_types(node),
        output=plain(node.schema),
        residual=residual,
        interval=(apart.low, apart.high) if apart else None,
    )
    one_sided = node.kind in (JoinKind.SEMI, JoinKind.ANTI) and residual is None and apart is None
    # rows with a lifetime are needed one by one: each is forgotten at its own time
    operator = SemiJoinOperator if one_sided and not any(node.ttl_ms) else JoinOperator
    return Recipe(operator_name(node), lambda: operator(options), (node.left_keys, node.right_keys))


def temporal_join_recipe(node: TemporalJoin, settings: Settings) -> Recipe:
    """Return the recipe of a join with versions in event time, or with the right side as it stands."""
    keys = (node.left_keys, node.right_keys)
    if node.times is None:
        lookup = LookupJoinOptions(
            outer=node.kind is JoinKind.LEFT,
            left=_join_input(node.left, node.left_keys),
            right=_join_input(node.right, node.right_keys),
            key_types=_key_types(node),
            output=plain(node.schema),
            right_ends=is_bounded(node.right, settings),
            right_key=node.right_key if is_append_only(node.right) else (),
            residual=_residual(node, settings),
        )
        return Recipe(operator_name(node), lambda: LookupJoinOperator(lookup), keys)
    updated = not is_append_only(node.right)
    options = TemporalJoinOptions(
        outer=node.kind is JoinKind.LEFT,
        left=TemporalSide(plain(node.left.schema), node.left_keys, node.times[0]),
        right=TemporalSide(plain(node.right.schema), node.right_keys, node.times[1]),
        key_types=_key_types(node),
        output=plain(node.schema),
        residual=_residual(node, settings),
        updated=updated,
    )
    return Recipe(operator_name(node), lambda: TemporalJoinOperator(options), keys)


def lookup_join_recipe(node: LookupJoin, settings: Settings) -> Recipe:
    """Return the recipe of a join with what a table outside, or a function, has for a key."""
    lookup = node.asked.options
    if lookup.capacity > 1 and isinstance(node.asked, AskedTable):
        capacity = int(settings.text("table.exec.async-lookup.buffer-capacity"))
        timeout_s = duration_ms(settings.text("table.exec.async-lookup.timeout")) / 1000
        lookup = replace(lookup, capacity=capacity, timeout_s=timeout_s)
    options = OutsideJoinOptions(
        outer=node.kind is JoinKind.LEFT,
        keys=node.keys,
        key_types=tuple(node.input.schema[index].type.with_nullable(False) for index in node.keys),
        found=plain(node.columns),
        output=plain(node.schema),
        source=lambda: node.asked.source(settings.values),
        lookup=lookup,
        name=node.asked.name,
        residual=_residual(node, settings),
    )
    return Recipe(f"LookupJoin({node.asked.name})", lambda: OutsideJoinOperator(options), (node.keys,))


def _residual(node: Join | TemporalJoin | LookupJoin, settings: Settings) -> Residual | None:
    if node.condition is None:
        return None
    columns = tuple(sorted(columns_of(node.condition)))
    condition = moved(node.condition, {old: new for new, old in enumerate(columns)})
    return Residual(compile_predicate(condition, settings), columns, len(node.inputs[0].schema))


def _key_types(node: Join | TemporalJoin) -> tuple[DataType, ...]:
    """Return the types in which both sides' keys are compared."""
    return tuple(node.left.schema[index].type.with_nullable(False) for index in node.left_keys)


def _join_input(node: Node, keys: tuple[int, ...], time: int | None = None) -> JoinInput:
    append_only = is_append_only(node)
    return JoinInput(plain(node.schema), tuple(node.schema.types), keys, append_only, time)


def _window_join(node: Join, residual: Residual | None, settings: Settings) -> Recipe:
    assert node.left_window is not None
    assert node.right_window is not None
    options = WindowJoinOptions(
        kind=JoinRows(node.kind.value),
        left=JoinSide(plain(node.left.schema), node.left_window.end, node.left_window.start, node.left_keys),
        right=JoinSide(plain(node.right.schema), node.right_window.end, node.right_window.start, node.right_keys),
        output=plain(node.schema),
        residual=residual.predicate if residual else None,
        residual_columns=residual.columns if residual else None,
        zone=zone_of_windows(node.left_window.spec, settings),
    )
    same = all(
        isinstance(node.left.schema[a].type, StringType) == isinstance(node.right.schema[b].type, StringType)
        for a, b in zip(node.left_keys, node.right_keys, strict=True)
    )
    keys = (node.left_keys, node.right_keys) if same else ((), ())
    return Recipe(operator_name(node), lambda: WindowJoinOperator(options), keys)
