"""What all nodes of a plan have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema
from fluxcore.expr.show import show_expr

if TYPE_CHECKING:
    from fluxcore.expr.nodes import AggCall, Expr


class Node:
    """The root of all plan nodes."""

    @property
    def schema(self) -> Schema:
        """Return the columns of the rows that the node gives."""
        raise NotImplementedError

    @property
    def inputs(self) -> tuple[Node, ...]:
        """Return the nodes whose rows the node takes."""
        return ()

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:  # noqa: ARG002
        """Return the same node over other inputs (of equal schemas but for nullability)."""
        return self

    def describe(self) -> str:
        """Return the node in one line for EXPLAIN, without its inputs."""
        return type(self).__name__


@dataclass(frozen=True)
class OneInput(Node):
    """A node with a single input."""

    input: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        return replace(self, input=inputs[0])

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True)
class TwoInputs(Node):
    """A node with a left and a right input."""

    left: Node
    right: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        return replace(self, left=inputs[0], right=inputs[1])


def show(expr: Expr, schema: Schema) -> str:
    """Return an expression as readable SQL with column names."""
    return show_expr(expr, schema.names)


def show_call(call: AggCall, schema: Schema) -> str:
    """Return an aggregate call as readable SQL."""
    args = [schema[index].name for index in call.args] + [str(value) for value in call.parameters]
    inside = ("DISTINCT " if call.distinct else "") + (", ".join(args) or "*")
    where = f" FILTER (WHERE {schema[call.where].name})" if call.where is not None else ""
    return f"{call.function}({inside}){where}"
