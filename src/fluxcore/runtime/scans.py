"""Makes the source of a scan: wanted columns, pushed-down predicate, settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.duration import duration_ms
from fluxcore.core.ports import Pushdown
from fluxcore.expr.compile import compile_predicate
from fluxcore.expr.nodes import columns_of
from fluxcore.expr.pushdown import bounds
from fluxcore.plan.nodes import Insert, Node, Scan
from fluxcore.plan.requests import scan_request
from fluxcore.runtime.alignment import Alignment, AlignmentGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.ports import Source
    from fluxcore.core.settings import Settings


def source_of(scan: Scan, settings: Settings) -> Source:
    """Return the source of a scan; it is not opened. Raises ``ScriptError`` when its connector can't be read."""
    request = scan_request(scan, settings)
    if scan.predicate is not None:
        pushdown = Pushdown(
            mask=compile_predicate(scan.predicate, settings),
            bounds=bounds(scan.predicate),
            columns=tuple(sorted(columns_of(scan.predicate))),
        )
        request = replace(request, pushdown=pushdown)
    return registry.connector(scan.table.options["connector"]).source(replace(request, limit=scan.limit))


def idle_timeout_s(scan: Scan, settings: Settings) -> float | None:
    """Return after how many seconds without rows a split leaves the watermark's minimum; None is never."""
    text = scan.table.options.get("scan.watermark.idle-timeout")
    milliseconds = duration_ms(text or settings.text("table.exec.source.idle-timeout"))
    return milliseconds / 1000 if milliseconds else None


def alignment_of(scan: Scan, groups: dict[str, AlignmentGroup]) -> Alignment | None:
    """Return how a scan's splits wait for others, if they do; ``groups`` are those of the job, by name."""
    name = scan.table.options.get("scan.watermark.alignment.group")
    if name is None:
        return None
    drift = duration_ms(scan.table.options["scan.watermark.alignment.max-drift"])
    return Alignment(groups.setdefault(name, AlignmentGroup()), drift)


def tables_written(roots: Sequence[Node]) -> list[Insert]:
    """Return the inserts among the roots of a job."""
    return [root for root in roots if isinstance(root, Insert)]
