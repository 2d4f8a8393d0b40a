"""Makes of a scan and of an insert what connectors are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.ports import ScanRequest, SinkRequest
from fluxcore.expr.compile import compile_predicate, literal_scalar

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Insert, Scan


def scan_request(scan: Scan, settings: Settings) -> ScanRequest:
    """Return what a scan wants before any row is looked at: its columns, and which partitions are read."""
    partitions = None if scan.partitions is None else compile_predicate(scan.partitions, settings)
    return ScanRequest(scan.table, scan.columns, settings=settings.values, partitions=partitions)


def sink_request(insert: Insert, settings: Settings) -> SinkRequest:
    """Return what an insert hands to its sink."""
    fixed = {index: literal_scalar(constant) for index, constant in insert.fixed}
    return SinkRequest(insert.table, insert.input.schema, settings.values, insert.overwrite, fixed)
