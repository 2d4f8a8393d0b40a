"""What runs a plan. Targets are found by name through the entry-point group ``fluxcore.targets``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from fluxcore.core import registry
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from fluxcore.core.ports import Sink
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


class RunningJob(Protocol):
    """A job that a target has started."""

    @property
    def bounded(self) -> bool:
        """Return whether the job ends by itself."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; return whether the job has ended."""
        ...

    def result(self) -> None:
        """Wait for the end and raise the job's error."""
        ...

    def stop(self) -> None:
        """End the job: an unbounded one keeps what it wrote."""
        ...

    def cancel(self) -> None:
        """Stop the job where it is."""
        ...

    def metrics(self) -> Any:
        """Return a snapshot of the job's counters; what it holds depends on the target."""
        ...


class Target(Protocol):
    """A place where plans run."""

    def start(
        self, roots: Sequence[tuple[Node, Sink | None]], settings: Settings, *, changelog: bool = False
    ) -> RunningJob:
        """Start one job for all roots: inserts write into their own sinks, queries into the given one.

        A bounded updating query gives its final table, unless ``changelog`` asks for every change.
        """
        ...

    def iterate(self, node: Node, settings: Settings, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Run a query and return its rows batch by batch; closing the iterator stops the job."""
        ...

    def is_bounded(self, node: Node, settings: Settings) -> bool:
        """Return whether all sources of the plan end."""
        ...

    def explain(self, roots: Sequence[Node], settings: Settings, details: Sequence[str] = ()) -> str:
        """Return the plan as it would run; ``details`` are the words behind EXPLAIN, such as ``JSON_EXECUTION_PLAN``."""
        ...

    def problems(self, roots: Sequence[Node], settings: Settings) -> Sequence[str]:
        """Return why the plan can't run on the target, one line for each reason; none when it can."""
        ...


def find_target(name: str) -> Target:
    """Return the target of that name, such as ``embedded``, ``batch`` or ``flink://HOST:PORT``.

    Raises: ``ScriptError`` FX-CON-0001 for an unknown one, FX-API-0040 for an address that it doesn't take.
    """
    scheme, separator, _ = name.partition("://")
    found: Any = registry.find(registry.TARGETS, scheme)
    if separator:
        if not hasattr(found, "at"):
            raise ScriptError("FX-API-0040", f"the target '{scheme}' takes no address", hint=f"write {scheme}")
        found = found.at(name)
    return ExplainingTarget(found, _show) if _show is not None else found


_show: Callable[[str, Sequence[str]], None] | None = None


@contextmanager
def explaining(show: Callable[[str, Sequence[str]], None]) -> Iterator[None]:
    """Let the sessions that are made meanwhile show their plans in place of running them.

    ``show`` gets each plan as its target would run it, and the reasons why the target can't, if it can't.
    """
    global _show  # noqa: PLW0603  (a program makes its sessions itself: there is no other way in)
    _show = show
    try:
        yield
    finally:
        _show = None


class ExplainingTarget:
    """Shows plans in place of running them: queries give no rows."""

    def __init__(self, target: Target, show: Callable[[str, Sequence[str]], None]) -> None:
        self._target = target
        self._show = show

    def start(
        self,
        roots: Sequence[tuple[Node, Sink | None]],
        settings: Settings,
        *,
        changelog: bool = False,  # noqa: ARG002
    ) -> EndedJob:
        """Show the plans; return a job that has ended."""
        plans = [node for node, _ in roots]
        self._show(self._target.explain(plans, settings), self._target.problems(plans, settings))
        return EndedJob()

    def iterate(self, node: Node, settings: Settings, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Show the plan; give no rows."""
        self.start([(node, None)], settings, changelog=changelog)
        return iter(())

    def is_bounded(self, node: Node, settings: Settings) -> bool:
        """Return whether all sources of the plan end."""
        return self._target.is_bounded(node, settings)

    def explain(self, roots: Sequence[Node], settings: Settings, details: Sequence[str] = ()) -> str:
        """Return the plan as it would run."""
        return self._target.explain(roots, settings, details)

    def problems(self, roots: Sequence[Node], settings: Settings) -> Sequence[str]:
        """Return why the plan can't run on the target."""
        return self._target.problems(roots, settings)


class EndedJob:
    """A job that never ran."""

    bounded = True

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        """Return at once."""
        return True

    def result(self) -> None:
        """Return at once."""

    def stop(self) -> None:
        """Do nothing: it has ended."""

    def cancel(self) -> None:
        """Do nothing: it has ended."""

    def metrics(self) -> None:
        """Return nothing: no operator ran."""
