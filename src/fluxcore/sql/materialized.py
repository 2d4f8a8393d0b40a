"""Materialised tables as a script defines them, and what its statements do with them while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import Scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.ports import TableDescription
    from fluxcore.core.settings import Settings
    from fluxcore.errors import Span
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

KIND = "MATERIALIZED TABLE"


class Action(Enum):
    """What a statement does with a materialised table."""

    CREATE = "create"
    DROP = "drop"
    SUSPEND = "suspend"
    RESUME = "resume"
    REFRESH = "refresh"


@dataclass(frozen=True, eq=False)
class Definition:
    """One version of a materialised table: the query that fills it, and how it is kept fresh.

    ``plan`` gives exactly the columns that are kept; ``key`` are the positions of the primary key. ``full`` means that all rows
    are computed anew every ``freshness_ms``; else a job goes on and on. ``memory`` is what plans find the rows by.
    """

    name: str
    plan: Node
    table: TableDescription
    full: bool
    freshness_ms: int
    settings: Settings
    memory: Any = field(repr=False)

    @property
    def key(self) -> tuple[int, ...]:
        """Return the positions of the primary key."""
        return self.table.primary_key


@dataclass(frozen=True)
class MaterializedStatement:
    """What is done with a materialised table when its turn comes in a script.

    ``old`` is the version that a new one takes the place of; ``condition`` over the table's columns is what REFRESH is bounded
    to; ``message`` is the answer when it is done.
    """

    action: Action
    definition: Definition
    message: str
    span: Span
    old: Definition | None = None
    condition: Expr | None = None


_DEFINITIONS: WeakValueDictionary[str, Definition] = WeakValueDictionary()


def remember(definition: Definition) -> None:
    """Let plans that read a table find its definition, for as long as somebody holds it."""
    _DEFINITIONS[definition.memory.key] = definition


def definition_of(node: Node) -> Definition | None:
    """Return the materialised table that a node reads, if it does."""
    return _DEFINITIONS.get(node.table.options.get("memory.key", "")) if isinstance(node, Scan) else None


def with_readings(roots: list[Node], change: Callable[[Scan, Definition], Node]) -> list[Node]:
    """Return plans with each reading of a materialised table put through ``change``."""

    def changed(node: Node) -> Node:
        definition = definition_of(node)
        return node if definition is None or not isinstance(node, Scan) else change(node, definition)

    return rewrite(roots, changed)


def followed(node: Node) -> Node:
    """Return a plan with the queries of the materialised tables that it reads: it ends when they do."""

    def query(scan: Scan, definition: Definition) -> Node:
        return scan if definition.full else followed(definition.plan)

    (found,) = with_readings([node], query)
    return found
