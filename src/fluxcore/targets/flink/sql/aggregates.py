"""Calls of aggregate functions, and groups of a query without windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fluxcore.core.quotes import text
from fluxcore.core.types import FloatType, IntegerType, NullType, RowType
from fluxcore.expr import build
from fluxcore.expr.nodes import Literal
from fluxcore.plan import nodes
from fluxcore.plan.columns import distinct_names
from fluxcore.targets.flink.sql.blocks import Block, Item
from fluxcore.targets.flink.sql.literals import literal
from fluxcore.targets.flink.sql.queries import Printer, place_of, print_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import AggCall

_SPREAD = frozenset({"STDDEV_POP", "STDDEV_SAMP", "STDDEV", "VAR_POP", "VAR_SAMP", "VARIANCE"})
_LACKING = {
    "APPROX_PERCENTILE": "Flink has no approximate percentile; PERCENTILE is the exact one",
    "JSON_ARRAYAGG": "Flink does not gather JSON in OVER",
    "JSON_OBJECTAGG": "Flink does not gather JSON in OVER",
    "NTH_VALUE": "Flink has no function of that name",
}
_BATCH_ONLY = frozenset({"APPROX_COUNT_DISTINCT"})
_JSON = {"JSON_ARRAYAGG": ("[", "]"), "JSON_OBJECTAGG": ("{", "}")}
"""Functions over texts that are JSON already, which Flink joins as texts, and what stands around them."""
_TYPED = frozenset({"LAG", "LEAD"})
"""Functions whose second parameter is a value of the result's type."""


def columns_read(calls: Iterable[AggCall]) -> list[int]:
    """Return the columns that calls read, each as often as it is read."""
    return [index for call in calls for index in (*call.args, *(() if call.where is None else (call.where,)))]


def call_text(call: AggCall, block: Block, printer: Printer, node: nodes.Node) -> str:
    """Return an aggregate call of a node over its input's columns, which are the block's first ones."""
    types = node.inputs[0].schema
    args = [(block.items[index].sql, types[index].type) for index in call.args]
    where = "" if call.where is None else f" FILTER (WHERE {block.items[call.where].sql})"
    if call.function in _JSON:
        start, end = _JSON[call.function]
        listed = call_of(replace(call, function="LISTAGG", parameters=(",",)), args, printer, node) + where
        return f"COALESCE('{start}' || {listed} || '{end}', '{start}{end}')"
    return call_of(call, args, printer, node) + where


def call_of(call: AggCall, args: Sequence[tuple[str, DataType]], printer: Printer, node: nodes.Node) -> str:
    """Return an aggregate call over these arguments and their types, without its condition."""
    _check(call, printer, node)
    shown = [_argument(call, sql, type_) for sql, type_ in args]
    shown += [_parameter(call, place, value, printer) for place, value in enumerate(call.parameters)]
    if call.function == "PERCENTILE" and isinstance(args[0][1], RowType):
        shown = [f"{args[0][0]}.`value`", *shown[1:], f"{args[0][0]}.`frequency`"]
    inside = ("DISTINCT " if call.distinct else "") + (", ".join(shown) or ("*" if call.function == "COUNT" else ""))
    name = call.function if call.user is None else printer.functions.name(call.user, place_of(node))
    return f"{name}({inside})"


def _check(call: AggCall, printer: Printer, node: nodes.Node) -> None:
    if call.user is not None:
        if not isinstance(node, nodes.Aggregate):
            why = "Flink takes an aggregate function in Python in plain groups only"
            printer.report.add(f"the function {call.user.name}", why, place_of(node))
    elif call.function in _LACKING:
        printer.report.add(f"the function {call.function}", _LACKING[call.function], place_of(node))
    elif call.function in _BATCH_ONLY and printer.streaming:
        why = "Flink has it in batch mode only; COUNT(DISTINCT …) is the exact one"
        printer.report.add(f"the function {call.function}", why, place_of(node))


def _argument(call: AggCall, shown: str, type_: DataType) -> str:
    """Return an argument; of integers Flink's measures of spread are integers, where ours are not."""
    wide = call.function in _SPREAD and isinstance(type_, IntegerType) and isinstance(call.type, FloatType)
    return f"CAST({shown} AS DOUBLE)" if wide else shown


def _parameter(call: AggCall, place: int, value: Any, printer: Printer) -> str:
    if isinstance(value, tuple):
        return f"ARRAY[{', '.join(_parameter(call, place, each, printer) for each in value)}]"
    typed = call.function in _TYPED and place == 1
    constant = Literal(type=call.type.with_nullable(value is None), value=value) if typed else build.literal(value)
    return literal(constant, printer.zone) if not isinstance(constant.type, NullType) else "CAST(NULL AS STRING)"


def grouped(block: Block, keys: Sequence[int], calls: Sequence[AggCall]) -> Block:
    """Return the block with plain key columns and every computed argument read once, open for GROUP BY."""
    return block.ready(keys, open_=True).ready(columns_read(calls))


def ttl_hint(lifetimes: dict[str, int | None]) -> str:
    """Return the hint of how long (ms) the rows of tables are kept, by alias; None is as the session says."""
    shown = ", ".join(f"{text(alias)} = {text(f'{ttl} ms')}" for alias, ttl in lifetimes.items() if ttl is not None)
    return f"STATE_TTL({shown})" if shown else ""


@print_node.register
def _aggregate(node: nodes.Aggregate, printer: Printer) -> Block:
    block = printer.block(node.input)
    hint = ttl_hint({"t": node.ttl_ms})
    block = grouped(block.nested("t") if hint else block, node.keys, node.calls)
    keys = tuple(block.items[index] for index in node.keys)
    calls = tuple(Item(call_text(call, block, printer, node), plain=False) for call in node.calls)
    return replace(
        block, items=keys + calls, names=distinct_names(node.schema.names), whole=False, done=True, hint=hint,
        group=tuple(dict.fromkeys(key.sql for key in keys)),
    )  # fmt: skip
