"""Windows: table functions, aggregates in them, and the older windows of GROUP BY where results come early or late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.core.triggers import TriggerKind, TriggerSpec
from fluxcore.plan import nodes
from fluxcore.plan.columns import distinct_names
from fluxcore.plan.emit import emit_of
from fluxcore.plan.nodes import WindowKind
from fluxcore.plan.triggered import TriggeredAggregate
from fluxcore.plan.windows import window_of
from fluxcore.targets.flink.sql.aggregates import call_text, grouped
from fluxcore.targets.flink.sql.blocks import Block, Item, columns
from fluxcore.targets.flink.sql.functions import SUM
from fluxcore.targets.flink.sql.literals import DAYS_MAX, milliseconds
from fluxcore.targets.flink.sql.queries import Printer, place_of, print_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import WindowSpec

_ADDED = ("window_start", "window_end", "window_time")
_LONGEST_MS = (DAYS_MAX + 1) * 86_400_000


@print_node.register
def _assign_window(node: nodes.AssignWindow, printer: Printer) -> Block:
    return _windowed(node, node.window, printer)


def _windowed(node: nodes.AssignWindow | nodes.WindowAggregate, spec: WindowSpec, printer: Printer) -> Block:
    """Return the rows of a node's input in their windows, whose three columns are appended."""
    below = printer.named(node.input, _ADDED)
    names = (*below.names, *_ADDED)
    partition = ", ".join(quoted(below.names[index]) for index in spec.partition)
    by = f" PARTITION BY ({partition})" if partition and spec.kind is WindowKind.SESSION else ""
    lengths = [spec.size]
    if spec.kind in (WindowKind.HOP, WindowKind.CUMULATE):
        lengths = [spec.slide, spec.size]
    if spec.offset:
        lengths.append(spec.offset)
    _check_lengths(lengths, printer, node)
    if spec.kind is WindowKind.SESSION and not printer.streaming:
        printer.report.add("sessions in batch mode", "Flink has them in streaming mode only", place_of(node))
    time = quoted(below.names[spec.time])
    shown = ", ".join(milliseconds(length) for length in lengths)
    source = f"TABLE({spec.kind.value}(TABLE {below.source}{by}, DESCRIPTOR({time}), {shown}))"
    return Block(source, columns(names), names, whole=True)


def _check_lengths(lengths: Sequence[int], printer: Printer, node: nodes.Node) -> None:
    if any(abs(length) >= _LONGEST_MS for length in lengths):
        why = f"the interval constants of Flink have at most {DAYS_MAX} days"
        printer.report.add("a window as long as this", why, place_of(node))


@print_node.register
def _window_aggregate(node: nodes.WindowAggregate, printer: Printer) -> Block:
    if emit_of(printer.settings).wanted:
        why = "Flink gives results early or late of GROUP BY's older windows only; take the settings 'table.exec.emit.*' away"
        printer.report.add("early or late results of this window", why, place_of(node))
    if isinstance(node.window, nodes.Attached):
        block = printer.block(node.input)
        places = window_of(node.input)
        time = None if places is None else places.time
        window: tuple[int, int, int | None] = (node.window.start, node.window.end, time)
    else:
        block = _windowed(node, node.window, printer)
        width = len(block.items)
        window = (width - 3, width - 2, width - 1)
    marks = [place for place in window if place is not None]
    block = grouped(block, (*node.keys, *marks), node.calls)
    start, end = block.items[window[0]], block.items[window[1]]
    moment = Item(f"{end.sql} - {milliseconds(1)}", SUM, plain=False) if window[2] is None else block.items[window[2]]
    keys = tuple(block.items[index] for index in node.keys)
    calls = tuple(Item(call_text(call, block, printer, node), plain=False) for call in node.calls)
    grouping = (*keys, *(block.items[place] for place in marks))
    return replace(
        block, items=(*keys, *calls, start, end, moment), names=distinct_names(node.schema.names), whole=False, done=True,
        group=tuple(dict.fromkeys(item.sql for item in grouping)),
    )  # fmt: skip


@print_node.register
def _triggered_aggregate(node: TriggeredAggregate, printer: Printer) -> Block:
    """Return a window of GROUP BY, the only ones of Flink that the settings of early and late results have a meaning for."""
    if not _said_by_settings(node, printer):
        _report_trigger(node, printer)
    spec = node.window
    block = printer.block(node.input)
    time = () if node.is_global else (spec.time,)
    block = grouped(block, (*node.keys, *time), node.calls)
    keys = tuple(block.items[index] for index in node.keys)
    calls = tuple(Item(call_text(call, block, printer, node), plain=False) for call in node.calls)
    group = [item.sql for item in keys]
    marks: tuple[Item, ...] = ()
    if not node.is_global:
        lengths = [spec.size] if spec.kind is not WindowKind.HOP else [spec.slide, spec.size]
        lengths += [spec.offset] if spec.offset else []
        inside = ", ".join([block.items[spec.time].sql, *(milliseconds(length) for length in lengths)])
        group.append(f"{spec.kind.value}({inside})")
        marks = tuple(Item(f"{spec.kind.value}_{mark}({inside})", plain=False) for mark in ("START", "END", "ROWTIME"))
    return replace(
        block, items=keys + calls + marks, names=distinct_names(node.schema.names), whole=False, done=True,
        group=tuple(dict.fromkeys(group)),
    )  # fmt: skip


def _said_by_settings(node: TriggeredAggregate, printer: Printer) -> bool:
    """Return whether Flink does what the node says, because the session's settings say the same."""
    emit = emit_of(printer.settings)
    trigger = TriggerSpec(TriggerKind.EVENT_TIME, early=emit.early, late=emit.late)
    kind = node.window.kind not in (WindowKind.CUMULATE, WindowKind.GLOBAL)
    plain = node.evictor is None and not node.appends
    return plain and kind and emit.wanted and (node.trigger, node.lateness) == (trigger, emit.lateness)


def _report_trigger(node: TriggeredAggregate, printer: Printer) -> None:
    place = place_of(node)
    if not node.trigger.fires_once(0):
        why = "Flink SQL's windows give results at their end; 'table.exec.emit.*' give them early or late for a whole session"
        printer.report.add(f"the trigger '{node.trigger.describe()}'", why, place)
    if node.evictor is not None:
        printer.report.add(f"the evictor '{node.evictor.describe()}'", "Flink SQL's windows keep all their rows", place)
    if node.lateness:
        why = "Flink SQL takes it from 'table.exec.emit.allow-lateness', for a whole session"
        printer.report.add(f"allowed lateness of {node.lateness} ms", why, place)
    if node.is_global and node.trigger.fires_once(0) and node.evictor is None:
        printer.report.add("a global window", "Flink SQL groups without a window instead", place)
