"""A stream that is grouped, and waits for its aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.api.calls import bind_calls
from fluxcore.api.expressions import Term
from fluxcore.expr.nodes import ColumnRef, Expr
from fluxcore.plan import nodes
from fluxcore.plan.columns import attached_window
from fluxcore.plan.rules.slice_windows import slice_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.api.aggregates import Aggregate
    from fluxcore.api.stream import Stream
    from fluxcore.api.windowing import Windowing


class Grouped:
    """A stream grouped by columns."""

    def __init__(
        self, stream: Stream, keys: tuple[Term, ...], window: Windowing | None = None, ttl_ms: int | None = None
    ) -> None:
        self._stream = stream
        self._keys = keys
        self._window = window
        self._ttl_ms = ttl_ms

    def agg(self, **functions: Aggregate) -> Stream:
        """Return one row per group: the keys, and each function under its keyword's name.

        Of rows in windows it gives one per group and window, when the window is complete, with its start, end and time; with
        a trigger or allowed lateness a row may be given anew in the place of the one before.
        """
        stream = self._stream
        schema = stream.schema
        keys = [key.bind(schema) for key in self._keys]
        names = [key.output_name() or f"EXPR${index}" for index, key in enumerate(self._keys)]
        base, calls = bind_calls(stream.node, functions, keys)
        width = len(schema)
        positions = tuple(
            key.index if isinstance(key, ColumnRef) else width + computed
            for key, computed in zip(keys, computed_before(keys), strict=True)
        )
        window = attached_window(stream.node)
        node: nodes.Node
        if self._window is not None:
            node = self._window.aggregate(base, positions, calls, tuple(functions))
        elif window is None:
            node = nodes.Aggregate(base, positions, calls, tuple(functions), self._ttl_ms)
        else:
            (node,) = slice_windows([nodes.WindowAggregate(base, window, positions, calls, tuple(functions))])
        output = [*names, *functions, *node.schema.names[len(names) + len(functions) :]]
        refs = tuple(ColumnRef(index=i, name=c.name, type=c.type) for i, c in enumerate(node.schema))
        return self._stream._with(nodes.Project(node, refs, tuple(output)))


def computed_before(keys: Sequence[Expr]) -> list[int]:
    """Return for each key how many keys before it are computed rather than plain columns."""
    counts, seen = [], 0
    for key in keys:
        counts.append(seen)
        seen += not isinstance(key, ColumnRef)
    return counts
