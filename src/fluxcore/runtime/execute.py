"""The embedded target: optimises plans, builds the job and runs it in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.api.iteration import iterate
from fluxcore.api.target import find_target
from fluxcore.core.duration import duration_ms
from fluxcore.core.time import SystemClock
from fluxcore.errors import ScriptError
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.endless import is_bounded, order_endless
from fluxcore.plan.lifetimes import with_lifetimes
from fluxcore.plan.nodes import Insert
from fluxcore.plan.optimizer import optimize
from fluxcore.runtime.build import Options, build
from fluxcore.runtime.explain import Explained, explain_json, explain_text
from fluxcore.runtime.threads import with_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.api.target import RunningJob
    from fluxcore.core.ports import Sink
    from fluxcore.core.settings import Settings
    from fluxcore.core.time import Clock
    from fluxcore.plan.nodes import Node
    from fluxcore.runtime.job import Job


class EmbeddedTarget:
    """Runs plans on threads of this process; ``clock`` is where processing time comes from."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def start(
        self, roots: Sequence[tuple[Node, Sink | None]], settings: Settings, *, changelog: bool = False
    ) -> RunningJob:
        """Start one job for all roots and return it, in batch mode that of the target ``batch``.

        Raises: ``ScriptError`` for plans that can't run.
        """
        if _in_batch(settings):
            return find_target("batch").start(roots, settings, changelog=changelog)
        return self.prepare(roots, settings, changelog=changelog).start()

    def prepare(self, roots: Sequence[tuple[Node, Sink | None]], settings: Settings, *, changelog: bool = False) -> Job:
        """Return the job for all roots without starting it."""
        bounded = all(is_bounded(root, settings) for root, _ in roots)
        plans, _ = planned([root for root, _ in roots], settings)
        queries = [plan for plan in plans if not isinstance(plan, Insert)]
        if not bounded and not changelog and not all(is_append_only(plan) for plan in queries):
            message = "the rows of this query are updated for ever, because its input never ends"
            hint = "ask for the changes: --format changelog, or batches(changelog=True)"
            raise ScriptError("FX-RUN-0111", message, hint=hint)
        sinks = [sink for _, sink in roots]
        settings = with_threads(plans, settings)
        return build(list(zip(plans, sinks, strict=True)), Options(settings, changelog, bounded, self._clock))

    def iterate(self, node: Node, settings: Settings, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows batch by batch; closing the iterator stops the job.

        With ``changelog`` a first column ``op`` says +I, -U, +U or -D.
        """
        yield from iterate(self, node, settings, changelog=changelog)

    def is_bounded(self, node: Node, settings: Settings) -> bool:
        """Return whether all sources of the plan end."""
        return is_bounded(node, settings)

    def problems(self, roots: Sequence[Node], settings: Settings) -> Sequence[str]:
        """Return nothing, since what can be planned can run here; in batch mode what the target ``batch`` says."""
        return find_target("batch").problems(roots, settings) if _in_batch(settings) else ()

    def explain(self, roots: Sequence[Node], settings: Settings, details: Sequence[str] = ()) -> str:
        """Return the optimised plans, what is known of their nodes, and the rules that changed something.

        With the detail ``JSON_EXECUTION_PLAN`` as a JSON object, else as text, which holds what all other details ask for. In
        batch mode it is what the target ``batch`` shows.
        """
        if _in_batch(settings):
            return find_target("batch").explain(roots, settings, details)
        plans, rules = planned(roots, settings)
        explained = Explained(plans, rules, with_threads(plans, settings))
        return explain_json(explained) if "JSON_EXECUTION_PLAN" in details else explain_text(explained)


def _in_batch(settings: Settings) -> bool:
    return settings.text("execution.runtime-mode").lower() == "batch"


def planned(roots: Sequence[Node], settings: Settings) -> tuple[list[Node], list[str]]:
    """Return plans as they run here, and the names of the rules that changed something. Raises ``ScriptError``."""
    plans, fired = optimize(
        roots, settings, lambda plans: order_endless(plans, lambda node: is_bounded(node, settings))
    )
    return with_lifetimes(plans, duration_ms(settings.text("table.exec.state.ttl"))), fired
