"""Cuts a plan into stages: parts that DuckDB carries out as one query, and parts that FluxCore's operators carry out.

The rows of a stage are streamed into the one stage that takes them; where several do, they are kept in a table of DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.plan.graph import consumers, in_order
from fluxcore.plan.nodes import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from fluxcore.core.schema import Schema

_FINAL = -1
"""The region of all operators whose rows leave the plan without DuckDB."""


@dataclass(frozen=True)
class Rows(Node):
    """The rows of another stage."""

    stage: int
    columns: Schema

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        return f"Rows(stage {self.stage})"


@dataclass(frozen=True)
class Stage:
    """A part of a plan, whose inputs are :class:`Rows` where other stages give them.

    ``duckdb`` says who carries it out; ``kept`` whether its rows are a table that several stages read.
    """

    number: int
    node: Node
    duckdb: bool
    kept: bool

    @property
    def rows(self) -> Rows:
        """Return the stage as an input of others."""
        return Rows(self.number, self.node.schema)


@dataclass(frozen=True)
class Cut:
    """A plan in stages, each behind those whose rows it takes; ``roots`` are what leaves: Rows of a stage, or operators."""

    stages: tuple[Stage, ...]
    roots: tuple[Node, ...]


def cut(roots: Sequence[Node], in_duckdb: Callable[[Node], bool], repeated: Collection[Node] = ()) -> Cut:
    """Return the plans cut where rows go from operators to DuckDB, back, or into several stages.

    What is ``repeated`` becomes a part of each stage of DuckDB that takes it.
    """
    regions = _Regions(roots, in_duckdb, repeated)
    done: dict[Node, Node] = {}
    stages: list[Stage] = []
    for node in regions.order:
        inputs = tuple(done[each] for each in node.inputs)
        same = all(new is old for new, old in zip(inputs, node.inputs, strict=True))
        part = node if same else node.with_inputs(inputs)
        if node in regions.heads:
            stage = Stage(len(stages) + 1, part, regions.duckdb[node], regions.readers(node) > 1)
            stages.append(stage)
            part = stage.rows
        done[node] = part
    return Cut(tuple(stages), tuple(done[root] for root in roots))


class _Regions:
    """Which region each node belongs to. A region is named by the place of its head in the order, or ``_FINAL``."""

    def __init__(self, roots: Sequence[Node], in_duckdb: Callable[[Node], bool], repeated: Collection[Node]) -> None:
        self._repeated = repeated
        self.order = in_order(roots)
        self.duckdb = {node: in_duckdb(node) for node in self.order}
        self._takers = consumers(roots)
        self._roots = list(roots)
        self.heads: set[Node] = set()
        self._regions: dict[Node, set[int]] = {}
        for place, node in reversed(list(enumerate(self.order))):
            self._regions[node] = self._region(node, place)

    def readers(self, head: Node) -> int:
        """Return how many times the rows of a head are read: once by each region of operators and each node of DuckDB."""
        takers = self._takers[head]
        operators = {region for taker in takers if not self.duckdb[taker] for region in self._regions[taker]}
        leaves = [root for root in self._roots if root == head]
        if not self.duckdb[head] and leaves:
            operators.add(_FINAL)
            leaves = []
        return len(operators) + sum(self.duckdb[taker] for taker in takers) + len(leaves)

    def _region(self, node: Node, place: int) -> set[int]:
        takers = self._takers[node]
        regions = {region for taker in takers if not self.duckdb[taker] for region in self._regions[taker]}
        leaves = self._roots.count(node)
        if node in self._repeated:
            return set()
        if self.duckdb[node]:
            head = leaves > 0 or len(takers) > 1 or any(not self.duckdb[taker] for taker in takers)
        else:
            if leaves:
                regions.add(_FINAL)
            head = any(self.duckdb[taker] for taker in takers) or len(regions) > 1
        if head:
            self.heads.add(node)
            return {place}
        if self.duckdb[node]:
            return set(self._regions[takers[0]])
        return regions


def rows_read(node: Node) -> list[Rows]:
    """Return the other stages' rows that a part of a plan reads."""
    return [each for each in in_order([node]) if isinstance(each, Rows)]
