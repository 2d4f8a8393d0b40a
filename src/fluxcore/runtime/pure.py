"""The pure functions of batches that plan nodes without state become."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.types import TimestampType
from fluxcore.errors import DataError
from fluxcore.expr.compile import compile_expr, compile_predicate
from fluxcore.expr.table_calls import compile_table_call
from fluxcore.operators.change_rows import from_changelog, to_changelog
from fluxcore.operators.correlate import correlate
from fluxcore.operators.process.mapped import mapped
from fluxcore.operators.windows.window_assign import AssignKind, AssignOptions, assign_windows
from fluxcore.plan.changelog import unique_key
from fluxcore.plan.changes import ToChangelog
from fluxcore.runtime.recipe import plain, zone_of_windows
from fluxcore.runtime.watermarks import generator_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.settings import Settings
    from fluxcore.plan.changes import FromChangelog
    from fluxcore.plan.correlate import Correlate
    from fluxcore.plan.nodes import AssignWatermark, AssignWindow, Map


def watermark_function(node: AssignWatermark, settings: Settings) -> Callable[[Batch], Batch]:
    """Return the function that adds the watermark steps of a batch's own rows (ms, floor of the expression's value).

    Raises, when it runs: ``DataError`` FX-RUN-0201 for a NULL event time.
    """
    if node.generator is not None:
        return generator_function(node)
    compute = compile_expr(node.expr, settings)
    type_ = node.expr.type
    assert isinstance(type_, TimestampType)
    units = type_.units_per_ms
    name = node.input.schema[node.column].name

    def assign(batch: Batch) -> Batch:
        if batch.column(node.column).null_count:
            message = f"the event time '{name}' is NULL"
            raise DataError("FX-RUN-0201", message, hint=f"drop such rows before: WHERE `{name}` IS NOT NULL")
        candidates = compute(batch.data)
        if candidates.null_count:
            candidates = candidates.fill_null(pa.scalar(-(2**63), pa.int64()).cast(candidates.type))
        values = np.asarray(candidates.view(pa.int64()))
        return batch.with_steps(Steps.rising(values, units))

    return assign


def window_function(node: AssignWindow, settings: Settings) -> Callable[[Batch], Batch]:
    """Return the function that gives each row once per window; sessions are no function of a row alone."""
    window = node.window
    schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in node.schema])
    kind, zone = AssignKind(window.kind.value), zone_of_windows(window, settings)
    return assign_windows(AssignOptions(kind, window.time, window.size, window.slide, schema, window.offset, zone))


def changes_function(node: ToChangelog | FromChangelog) -> Callable[[Batch], Batch]:
    """Return the function that gives changes as rows, or takes rows as changes."""
    if isinstance(node, ToChangelog):
        return to_changelog(node.codes, unique_key(node.input), plain(node.schema))
    return from_changelog(node.codes, node.op)


def map_function(node: Map) -> Callable[[Batch], Batch]:
    """Return the function that hands rows or batches to one of the user's."""
    return mapped(node.function, plain(node.input.schema), plain(node.schema))


def correlate_function(node: Correlate, settings: Settings) -> Callable[[Batch], Batch]:
    """Return the function that gives each row once per row of a call over its columns."""
    condition = None if node.condition is None else compile_predicate(node.condition, settings)
    call = compile_table_call(node.call, settings)
    return correlate(call, plain(node.schema), outer=node.outer, condition=condition)
