"""Turns logical plans into the running pieces of a job: the one place that joins plan, operators and state.

Pure nodes become maps that run wherever their input runs. A stateful node with keys gets one task per worker behind an
exchange by key group; one without keys is fused behind its input when that is a single stream, else it gets one task.
Equal sub-plans are built once and feed all who take them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.batch import Batch
from fluxcore.core.ports import ChangeMode, OperatorContext
from fluxcore.core.size import size_bytes
from fluxcore.core.time import SystemClock
from fluxcore.errors import ScriptError
from fluxcore.expr.compile import compile_predicate, compile_projection
from fluxcore.operators.materialize import MaterializeOperator
from fluxcore.plan.changelog import is_append_only, is_final, told_changes
from fluxcore.plan.changes import FromChangelog, ToChangelog
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.enough import read_for_limits
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import (
    AssignWatermark,
    AssignWindow,
    Filter,
    Insert,
    Map,
    Project,
    Scan,
    SideOutput,
    StampTime,
    Union,
    Values,
    WindowKind,
)
from fluxcore.plan.requests import sink_request
from fluxcore.runtime.clock import ClockNode
from fluxcore.runtime.job import Job, Parts
from fluxcore.runtime.late import LateRows
from fluxcore.runtime.memory import MemoryBudget
from fluxcore.runtime.nodes import BroadcastNode, ExchangeNode, MapNode, OperatorNode, Outlet, Partials, SinkNode
from fluxcore.runtime.operators import recipe_of
from fluxcore.runtime.pure import (
    changes_function,
    correlate_function,
    map_function,
    watermark_function,
    window_function,
)
from fluxcore.runtime.reading_order import independent, waiting
from fluxcore.runtime.recipe import Recipe, plain
from fluxcore.runtime.scans import alignment_of, idle_timeout_s, source_of
from fluxcore.runtime.source_stage import SourceStage
from fluxcore.runtime.spread import Spread, spread_of, spread_through
from fluxcore.runtime.task import Task
from fluxcore.runtime.values import ValuesSource
from fluxcore.runtime.watermarks import splits_in_order
from fluxcore.state.backend import MemoryStateBackend
from fluxcore.state.keygroups import rows_of_tasks
from fluxcore.state.keygroups import tasks_of as tasks_of_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from fluxcore.core.ports import Sink, Source
    from fluxcore.core.settings import Settings
    from fluxcore.core.time import Clock
    from fluxcore.plan.nodes import Node
    from fluxcore.runtime.alignment import AlignmentGroup

_FUSED_TASKS_MAX = 2
"""Up to so many tasks, an operator whose rows arrive aggregated is one task: an exchange would cost more than it saves."""


@dataclass(frozen=True)
class Options:
    """How a job is built: its settings, and whether updating queries give every change or only the final table.

    ``clock`` is where processing time comes from.
    """

    settings: Settings
    changelog: bool = False
    bounded: bool = True
    clock: Clock = field(default_factory=SystemClock)


@dataclass
class _Placed:
    """Where a node's rows come out: one outlet per running instance; ``operators`` are those instances, if they have state.

    ``spread`` says by which columns the rows lie in the instances, where there are several tasks.
    """

    outlets: list[Outlet]
    number: int
    operators: tuple[OperatorNode, ...] = ()
    spread: Spread = None


def build(roots: Sequence[tuple[Node, Sink | None]], options: Options) -> Job:
    """Return the job for optimised plans; an ``Insert`` brings its own sink, a query is written into the given one.

    Raises: ``ScriptError`` for a plan that can't run, such as an updating query into a sink that only appends.
    """
    return _Builder(options).build(roots)


class _Builder:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._settings = options.settings
        self._parts = Parts()
        self._placed: dict[Node, _Placed] = {}
        self._told: set[Node] = set()  # somebody wants to see each of their changes
        self._stages: dict[Node, SourceStage] = {}
        self._groups: dict[str, AlignmentGroup] = {}
        size = self._settings.text("taskmanager.memory.process.size")
        self._memory = MemoryBudget(size_bytes(size) if size else None)

    def build(self, roots: Sequence[tuple[Node, Sink | None]]) -> Job:
        order = in_order([node for node, _ in roots])
        self._told = told_changes(order)
        for number, node in enumerate(order):
            if not isinstance(node, Insert):
                self._placed[node] = self._place(node, number)
        for number, (root, sink) in enumerate(roots, len(order)):
            self._add_sink(root, sink, number)
        self._parts.bounded = all(source.source.bounded for source in self._parts.sources)
        if self._parts.bounded:
            self._parts.either_first = independent(order, self._stages)
        for scan, limits in read_for_limits([node for node, _ in roots]).items():
            self._stages[scan].takers = tuple(each for node in limits for each in self._placed[node].operators)
        for later, earlier in waiting(order, self._stages):
            later.first.append(earlier)
        show = self._settings.text("fluxcore.metrics.show").lower() == "true"
        return Job(self._parts, self._settings.text("pipeline.name"), show_metrics=show)

    def _place(self, node: Node, number: int) -> _Placed:
        settings = self._settings
        if isinstance(node, Scan):
            stage = self._source(node.describe().split(", columns")[0] + ")", source_of(node, settings), number)
            stage.idle_timeout_s = idle_timeout_s(node, settings)
            stage.alignment = alignment_of(node, self._groups)
            stage.limit = node.limit
            stage.in_order = node.limit is not None and node.predicate is None  # the first block may be enough
            self._stages[node] = stage
            return _Placed([stage.out], number)
        if isinstance(node, Values):
            return _Placed([self._source("Values", ValuesSource(node, settings), number).out], number)
        if isinstance(node, Project):
            compute = compile_projection(node.exprs, plain(node.schema), settings)
            return self._map(node, number, lambda batch: batch.with_data(compute(batch.data)))
        if isinstance(node, Filter):
            predicate = compile_predicate(node.condition, settings)
            return self._map(node, number, lambda batch: batch.filter(predicate(batch.data)))
        if isinstance(node, AssignWatermark):
            for scan in splits_in_order(node):
                self._stages[scan].in_order = True
            return self._map(node, number, watermark_function(node, settings))
        if isinstance(node, AssignWindow) and node.window.kind is not WindowKind.SESSION:
            return self._map(node, number, window_function(node, settings))
        if isinstance(node, Correlate):
            return self._map(node, number, correlate_function(node, settings))
        if isinstance(node, Map):
            return self._map(node, number, map_function(node))
        if isinstance(node, ToChangelog | FromChangelog):
            return self._map(node, number, changes_function(node))
        if isinstance(node, StampTime):
            return self._clock(node, number)
        if isinstance(node, SideOutput):
            operators = self._placed[node.input].operators
            assert operators, "only an operator with state has side outputs"
            return _Placed([each.side(node.tag) for each in operators], number)
        if isinstance(node, Union):
            return _Placed([out for branch in node.branches for out in self._placed[branch].outlets], number)
        final_only = self._options.bounded and not self._options.changelog and node not in self._told
        recipe = recipe_of(node, settings, final_only=final_only)
        if node in self._told:
            recipe = replace(recipe, one_by_one=True, partials=None)
        inputs = tuple(self._placed[each] for each in node.inputs)
        placed = self._operator(inputs, recipe, number, lambda index: self._late(node, number, index))
        return replace(placed, spread=spread_of(node, placed.spread))

    def _source(self, name: str, source: Source, number: int) -> SourceStage:
        metrics = self._parts.new_metrics(number, name)
        stage = SourceStage(name, source, self._settings.parallelism, metrics, self._options.clock)
        stage.memory = self._memory
        self._parts.sources.append(stage)
        return stage

    def _map(self, node: Node, number: int, function: Callable[[Batch], Batch]) -> _Placed:
        (below,) = node.inputs
        outlets = []
        name = type(node).__name__
        for outlet in self._placed[below].outlets:
            piece = MapNode(name, function, self._parts.new_metrics(number, name))
            outlet.add(piece)
            outlets.append(piece.out)
        return _Placed(outlets, number, spread=spread_through(node, self._placed[below].spread))

    def _clock(self, node: StampTime, number: int) -> _Placed:
        outlets = []
        for outlet in self._placed[node.input].outlets:
            metrics = self._parts.new_metrics(number, "StampTime")
            piece = ClockNode(node.column, plain(node.schema), self._options.clock, metrics)
            outlet.add(piece)
            outlets.append(piece.out)
        return _Placed(outlets, number, spread=spread_through(node, self._placed[node.input].spread))

    def _operator(
        self, inputs: tuple[_Placed, ...], recipe: Recipe, number: int, late: Callable[[int], Callable[[Batch], None]]
    ) -> _Placed:
        parallelism = _tasks(recipe, self._settings)
        if parallelism == 1 and len(inputs) == 1 and len(inputs[0].outlets) == 1:
            piece = self._instance(recipe, number, late(0), recipe.partials)
            inputs[0].outlets[0].add(piece)
            return _Placed([piece.out], number, (piece,))
        if len(inputs) == 1 and len(inputs[0].outlets) == parallelism and _lies_right(inputs[0].spread, recipe):
            pieces = tuple(self._instance(recipe, number, late(index)) for index in range(parallelism))
            for piece, outlet in zip(pieces, inputs[0].outlets, strict=True):
                outlet.add(piece)
            return _Placed([piece.out for piece in pieces], number, pieces, inputs[0].spread)
        tasks = []
        for index in range(parallelism):
            piece = self._instance(recipe, number, late(index))
            tasks.append(Task(f"{recipe.name} {index + 1}/{parallelism}", piece, self._options.clock))
        self._parts.tasks += tasks
        for port, (placed, keys) in enumerate(zip(inputs, recipe.keys, strict=True)):
            for outlet in placed.outlets:
                targets = [(task.inbox, task.add_input(port)) for task in tasks]
                metrics = self._parts.metrics[number][0]
                if port in recipe.broadcast:
                    outlet.add(BroadcastNode(targets, metrics))
                    continue
                route = KeyRoute(keys, parallelism) if keys else None
                outlet.add(ExchangeNode(targets, route, recipe.partials, metrics))
        heads = tuple(task.head for task in tasks)
        return _Placed([head.out for head in heads], number, heads, recipe.keys[0] or None)

    def _instance(
        self, recipe: Recipe, number: int, late: Callable[[Batch], None], partials: Partials | None = None
    ) -> OperatorNode:
        context = OperatorContext(recipe.name, MemoryStateBackend(), self._options.clock, late)
        piece = OperatorNode(recipe.make(), context, self._parts.new_metrics(number, recipe.name), partials)
        piece.memory, piece.one_by_one = self._memory, recipe.one_by_one
        self._memory.watch(piece.metrics)
        self._parts.operators.append(piece)
        return piece

    def _late(self, node: Node, number: int, index: int) -> Callable[[Batch], None]:
        folder = self._settings.text("fluxcore.late-rows.path")
        if not folder:
            return _drop
        schema = node.inputs[0].schema
        rows = LateRows(Path(folder), f"{number:02}-{type(node).__name__}-{index}", schema)
        self._parts.late.append(rows)
        return rows.write

    def _add_sink(self, root: Node, sink: Sink | None, number: int) -> None:
        if isinstance(root, Insert):
            connector = registry.connector(root.table.options["connector"])
            if root.overwrite and not self._options.bounded:
                message = "INSERT OVERWRITE replaces a table when all rows are there, and these rows never end"
                raise ScriptError("FX-RUN-0112", message, span=root.span, hint="write INSERT INTO")
            node, name = root.input, f"Insert({root.table.name})"
            sink = connector.sink(sink_request(root, self._settings))
        else:
            assert sink is not None, "a query needs a sink"
            node, name = root, "Result"
        final = self._options.bounded and not self._options.changelog and not isinstance(root, Insert)
        if ChangeMode.RETRACT not in sink.modes and not is_append_only(node) and not final:
            message = f"{name} only appends, and the query's rows may be updated"
            hint = "use a window, or a sink that takes updates, such as print"
            span = root.span if isinstance(root, Insert) else None
            raise ScriptError("FX-RUN-0110", message, span=span, hint=hint)
        placed = self._placed[node]
        if final and not is_final(node, self._told):
            schema = plain(node.schema)
            recipe = Recipe("Materialize", lambda: MaterializeOperator(schema), ((),))
            placed = self._operator((placed,), recipe, number, lambda _: _drop)
        piece = SinkNode(name, sink, self._parts.new_metrics(number, name))
        piece.memory = self._memory
        self._memory.watch(piece.metrics)
        self._parts.sinks.append(piece)
        for outlet in placed.outlets:
            outlet.add(piece)


def tasks_of(node: Node, settings: Settings) -> int:
    """Return how many tasks a stateful node gets. Raises ``ScriptError`` for what can't be executed yet."""
    return _tasks(recipe_of(node, settings, final_only=False), settings)


def _tasks(recipe: Recipe, settings: Settings) -> int:
    spread = all(keys or port in recipe.broadcast for port, keys in enumerate(recipe.keys))
    parallelism = settings.parallelism if spread else 1
    fused = recipe.partials is not None and parallelism <= _FUSED_TASKS_MAX
    return 1 if fused else parallelism


def _lies_right(spread: Spread, recipe: Recipe) -> bool:
    """Return whether the rows of each key are in one task already, so that no exchange is needed."""
    return spread is not None and set(spread) <= set(recipe.keys[0])


def _drop(batch: Batch) -> None:
    """Late rows that no folder was given for are only counted."""


@dataclass(frozen=True)
class KeyRoute:
    """Spreads key groups evenly over tasks. In: ``keys`` the positions of the key in the input's rows."""

    keys: tuple[int, ...]
    parallelism: int

    def of_rows(self, batch: Batch) -> NDArray[np.int64]:
        """Return the task of each row."""
        return tasks_of_keys([batch.column(key) for key in self.keys], batch.rows, self.parallelism)

    def rows(self, batch: Batch) -> list[NDArray[np.int64]]:
        """Return each task's rows (rising) of a batch."""
        return rows_of_tasks([batch.column(key) for key in self.keys], self.parallelism)

    def states(self, states: Batch) -> list[NDArray[np.int64]]:
        """Return each task's rows (rising) of aggregated rows; the keys stand behind the slice."""
        return rows_of_tasks(states.data.columns[1 : 1 + len(self.keys)], self.parallelism)
