"""The target ``batch``: a bounded plan is cut into stages for DuckDB and for the operators of the embedded target."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.api.iteration import iterate
from fluxcore.api.target import find_target
from fluxcore.core import registry
from fluxcore.plan.endless import is_bounded
from fluxcore.plan.nodes import Insert
from fluxcore.plan.requests import sink_request
from fluxcore.plan.user_functions import function_notes
from fluxcore.targets.batch.job import BatchJob, Work
from fluxcore.targets.batch.places import places, weigher
from fluxcore.targets.batch.prepare import check, prepared, problems
from fluxcore.targets.batch.sql.queries import print_query
from fluxcore.targets.batch.stages import Cut, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.ports import Sink
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_MODE = "execution.runtime-mode"
_STREAMING = {_MODE: "streaming", "table.exec.state.ttl": "0 ms"}
"""What the operators of a stage run with: their input is not streamed for ever, and nothing is forgotten."""


class BatchTarget:
    """Runs bounded plans: joins, aggregates and sorts on DuckDB, all else on FluxCore's own operators."""

    def start(
        self,
        roots: Sequence[tuple[Node, Sink | None]],
        settings: Settings,
        *,
        changelog: bool = False,  # noqa: ARG002  (all rows are final: each is an insert)
    ) -> BatchJob:
        """Start one job for all roots: inserts write into their own sinks, queries into the given one.

        Raises: ``ScriptError`` FX-BAT-0101 for input that never ends, FX-BAT-0102 for changes as rows where none are made.
        """
        check([node for node, _ in roots], settings)
        own = settings_of_stages(settings)
        sinks = [_sink(root, sink, settings) for root, sink in roots]
        done, _ = prepared([node for node, _ in roots], own)
        found, scans = _plan(done, own)
        named = [(leaf, name, sink) for leaf, (name, sink) in zip(found.roots, sinks, strict=True)]
        stages = {stage.number: stage for stage in found.stages}
        return BatchJob(Work(stages, _queries(found, scans, own), named, own, find_target("embedded"))).start()

    def iterate(self, node: Node, settings: Settings, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows batch by batch; closing the iterator ends the job.

        With ``changelog`` a first column ``op`` says +I: nothing is taken back.
        """
        yield from iterate(self, node, settings, changelog=changelog)

    def is_bounded(self, node: Node, settings: Settings) -> bool:
        """Return whether all sources of the plan end."""
        return is_bounded(node, settings)

    def problems(self, roots: Sequence[Node], settings: Settings) -> Sequence[str]:
        """Return which tables never end."""
        return problems(roots, settings)

    def explain(self, roots: Sequence[Node], settings: Settings, details: Sequence[str] = ()) -> str:
        """Return the stages: DuckDB's SQL, and the plans of the operators.

        With the detail ``JSON_EXECUTION_PLAN`` as a JSON object, else as text, which holds what all other details ask for.
        """
        own = settings_of_stages(settings)
        done, fired = prepared(roots, own)
        found, scans = _plan(done, own)
        queries = _queries(found, scans, own)
        stages = [
            {
                "stage": stage.number,
                "by": "DuckDB" if stage.duckdb else "operators",
                "kept": stage.kept,
                "plan": queries[stage.number] if stage.duckdb else _tree(stage.node),
            }
            for stage in found.stages
        ]
        names = [f"Insert({root.table.name})" if isinstance(root, Insert) else "Result" for root in roots]
        leaves = [{"name": name, "plan": _tree(leaf)} for name, leaf in zip(names, found.roots, strict=True)]
        functions = function_notes(done)
        if "JSON_EXECUTION_PLAN" in details:
            told: dict[str, Any] = {
                "stages": stages,
                "results": leaves,
                "rules": fired,
                "parallelism": settings.parallelism,
            }
            if functions:
                told["functions"] = [{"name": name, "runs": note} for name, note in functions]
            return json.dumps(told, indent=2)
        parts = [
            f"stage {each['stage']}: {each['by']}{', kept in a table' if each['kept'] else ''}\n{_indented(str(each['plan']))}"
            for each in stages
        ]
        if functions:
            parts.append("functions:" + "".join(f"\n  {name}: {note}" for name, note in functions))
        parts += [f"{each['name']}\n{_indented(each['plan'])}" for each in leaves]
        return "\n\n".join(parts) + f"\n\nrules: {', '.join(fired) or 'none'}\nparallelism: {settings.parallelism}"


def settings_of_stages(settings: Settings) -> Settings:
    """Return the settings with which the operators of a stage run."""
    for key, value in _STREAMING.items():
        settings = settings.with_value(key, value)
    return settings


def _plan(roots: Sequence[Node], settings: Settings) -> tuple[Cut, dict[Node, str]]:
    """Return the plans in stages, and the SQL of the files that DuckDB reads."""
    leaving = [root.input if isinstance(root, Insert) else root for root in roots]
    where = places(leaving, settings)
    return cut(leaving, where.duckdb.__getitem__, where.repeated), where.scans


def _queries(found: Cut, scans: dict[Node, str], settings: Settings) -> dict[int, str]:
    """Return the SQL of the stages that DuckDB carries out, by number."""
    weights: dict[int, float] = {}
    weigh = weigher(settings, weights)
    queries = {}
    for stage in found.stages:
        if stage.duckdb:
            queries[stage.number] = print_query(stage.node, scans, weigh)
        weights[stage.number] = weigh(stage.node)
    return queries


def _sink(root: Node, sink: Sink | None, settings: Settings) -> tuple[str, Sink]:
    """Return the name of what a root writes, and its sink."""
    if not isinstance(root, Insert):
        assert sink is not None, "a query needs a sink"
        return "Result", sink
    connector = registry.connector(root.table.options["connector"])
    return f"Insert({root.table.name})", connector.sink(sink_request(root, settings))


def _tree(node: Node, depth: int = 0) -> str:
    lines = [f"{'  ' * depth}{node.describe()}"]
    return "\n".join([*lines, *(_tree(each, depth + 1) for each in node.inputs)])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
