"""What runs a plan. Targets are found by name through the entry-point group ``fluxcore.targets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fluxcore.core import registry
from fluxcore.errors import not_supported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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

    def explain(self, roots: Sequence[Node], settings: Settings) -> str:
        """Return the plan as it would run."""
        ...


def find_target(name: str) -> Target:
    """Return the target of that name. Raises ``ScriptError`` when it is unknown or not there yet."""
    if name == "batch" or name.startswith("flink"):
        raise not_supported(f"the target '{name}'", hint="run it with --target embedded")
    found: Target = registry.find(registry.TARGETS, name)
    return found
