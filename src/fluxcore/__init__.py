"""FluxCore: the streaming platform you can pip install.

import fluxcore as fx

session = fx.Session()
flights = session.read("flights.csv", schema=..., watermark=("event_time", "2 hours"))
hourly = flights.window(fx.tumble("event_time", "1 hour")).group_by("origin").agg(n=fx.count())
print(hourly.to_pandas())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxcore.api.aggregates import (
        Aggregate,
        approx_count_distinct,
        approx_quantile,
        array_agg,
        count,
        cume_dist,
        dense_rank,
        first_value,
        lag,
        last_value,
        lead,
        listagg,
        multiset,
        nth_value,
        ntile,
        percent_rank,
        percentile,
        rank,
        row_number,
        stddev_pop,
        stddev_samp,
        var_pop,
        var_samp,
    )
    from fluxcore.api.aggregates import largest as max  # noqa: A004
    from fluxcore.api.aggregates import mean as avg
    from fluxcore.api.aggregates import smallest as min  # noqa: A004
    from fluxcore.api.aggregates import total as sum  # noqa: A004
    from fluxcore.api.bus import Bus
    from fluxcore.api.expressions import Term, call, col, lit
    from fluxcore.api.functions import ScalarUdf, TableUdf, udaf, udf, udtf, unnest
    from fluxcore.api.lookups import cache, calls
    from fluxcore.api.session import Session
    from fluxcore.api.shared import collect, from_arrow, from_feed, read, run, sql
    from fluxcore.api.stream import Stream
    from fluxcore.api.triggers import (
        continuous,
        keep_delta,
        keep_last,
        keep_within,
        on_count,
        on_delta,
        on_event_time,
        on_processing_time,
        purging,
    )
    from fluxcore.api.watermarks import bounded, ingestion_time, monotonous, punctuated
    from fluxcore.api.windowing import count_window, global_window
    from fluxcore.api.windows import cumulate, hop, session, tumble
    from fluxcore.bus.batch_event import BatchEvent
    from fluxcore.bus.errors import BusError, NoResponders, RequestTimeout
    from fluxcore.bus.event import Event, Receipt
    from fluxcore.bus.options import Retry
    from fluxcore.core.aggregate import AggregateFunction, VectorAggregateFunction
    from fluxcore.core.batch import Batch
    from fluxcore.core.batch_function import BatchFunction, column
    from fluxcore.core.evictors import Evictor
    from fluxcore.core.feed import Feed
    from fluxcore.core.keyed_state import aggregating_state, list_state, map_state, reducing_state, value
    from fluxcore.core.ports import ChangeMode, Operator, OperatorContext, Signal, Sink
    from fluxcore.core.process import (
        BroadcastFunction,
        ProcessFunction,
        TwoInputFunction,
        broadcast_state,
        output,
    )
    from fluxcore.core.triggers import Trigger, TriggerResult, WindowInfo
    from fluxcore.core.watermarks import WatermarkGenerator
    from fluxcore.errors import DataError, FluxError, JobError, ScriptError

__version__ = "0.1.0"

_PLACES = {
    "Aggregate": ("api.aggregates", "Aggregate"),
    "Term": ("api.expressions", "Term"),
    "call": ("api.expressions", "call"),
    "col": ("api.expressions", "col"),
    "lit": ("api.expressions", "lit"),
    "approx_count_distinct": ("api.aggregates", "approx_count_distinct"),
    "approx_quantile": ("api.aggregates", "approx_quantile"),
    "array_agg": ("api.aggregates", "array_agg"),
    "avg": ("api.aggregates", "mean"),
    "multiset": ("api.aggregates", "multiset"),
    "count": ("api.aggregates", "count"),
    "cume_dist": ("api.aggregates", "cume_dist"),
    "dense_rank": ("api.aggregates", "dense_rank"),
    "first_value": ("api.aggregates", "first_value"),
    "lag": ("api.aggregates", "lag"),
    "last_value": ("api.aggregates", "last_value"),
    "lead": ("api.aggregates", "lead"),
    "listagg": ("api.aggregates", "listagg"),
    "max": ("api.aggregates", "largest"),
    "min": ("api.aggregates", "smallest"),
    "nth_value": ("api.aggregates", "nth_value"),
    "ntile": ("api.aggregates", "ntile"),
    "percent_rank": ("api.aggregates", "percent_rank"),
    "percentile": ("api.aggregates", "percentile"),
    "rank": ("api.aggregates", "rank"),
    "row_number": ("api.aggregates", "row_number"),
    "stddev_pop": ("api.aggregates", "stddev_pop"),
    "stddev_samp": ("api.aggregates", "stddev_samp"),
    "sum": ("api.aggregates", "total"),
    "var_pop": ("api.aggregates", "var_pop"),
    "var_samp": ("api.aggregates", "var_samp"),
    "ScalarUdf": ("api.functions", "ScalarUdf"),
    "TableUdf": ("api.functions", "TableUdf"),
    "udaf": ("api.functions", "udaf"),
    "udf": ("api.functions", "udf"),
    "udtf": ("api.functions", "udtf"),
    "unnest": ("api.functions", "unnest"),
    "Session": ("api.session", "Session"),
    "Stream": ("api.stream", "Stream"),
    "sql": ("api.shared", "sql"),
    "read": ("api.shared", "read"),
    "from_arrow": ("api.shared", "from_arrow"),
    "bounded": ("api.watermarks", "bounded"),
    "ingestion_time": ("api.watermarks", "ingestion_time"),
    "monotonous": ("api.watermarks", "monotonous"),
    "punctuated": ("api.watermarks", "punctuated"),
    "WatermarkGenerator": ("core.watermarks", "WatermarkGenerator"),
    "from_feed": ("api.shared", "from_feed"),
    "collect": ("api.shared", "collect"),
    "run": ("api.shared", "run"),
    "cache": ("api.lookups", "cache"),
    "calls": ("api.lookups", "calls"),
    "cumulate": ("api.windows", "cumulate"),
    "hop": ("api.windows", "hop"),
    "session": ("api.windows", "session"),
    "tumble": ("api.windows", "tumble"),
    "AggregateFunction": ("core.aggregate", "AggregateFunction"),
    "VectorAggregateFunction": ("core.aggregate", "VectorAggregateFunction"),
    "count_window": ("api.windowing", "count_window"),
    "global_window": ("api.windowing", "global_window"),
    "on_event_time": ("api.triggers", "on_event_time"),
    "on_processing_time": ("api.triggers", "on_processing_time"),
    "on_count": ("api.triggers", "on_count"),
    "on_delta": ("api.triggers", "on_delta"),
    "continuous": ("api.triggers", "continuous"),
    "purging": ("api.triggers", "purging"),
    "keep_last": ("api.triggers", "keep_last"),
    "keep_within": ("api.triggers", "keep_within"),
    "keep_delta": ("api.triggers", "keep_delta"),
    "Trigger": ("core.triggers", "Trigger"),
    "TriggerResult": ("core.triggers", "TriggerResult"),
    "WindowInfo": ("core.triggers", "WindowInfo"),
    "Evictor": ("core.evictors", "Evictor"),
    "ProcessFunction": ("core.process", "ProcessFunction"),
    "TwoInputFunction": ("core.process", "TwoInputFunction"),
    "BroadcastFunction": ("core.process", "BroadcastFunction"),
    "Batch": ("core.batch", "Batch"),
    "Feed": ("core.feed", "Feed"),
    "Signal": ("core.ports", "Signal"),
    "Sink": ("core.ports", "Sink"),
    "ChangeMode": ("core.ports", "ChangeMode"),
    "Operator": ("core.ports", "Operator"),
    "OperatorContext": ("core.ports", "OperatorContext"),
    "BatchFunction": ("core.batch_function", "BatchFunction"),
    "column": ("core.batch_function", "column"),
    "output": ("core.process", "output"),
    "broadcast_state": ("core.process", "broadcast_state"),
    "value": ("core.keyed_state", "value"),
    "list_state": ("core.keyed_state", "list_state"),
    "map_state": ("core.keyed_state", "map_state"),
    "reducing_state": ("core.keyed_state", "reducing_state"),
    "aggregating_state": ("core.keyed_state", "aggregating_state"),
    "Bus": ("api.bus", "Bus"),
    "BatchEvent": ("bus.batch_event", "BatchEvent"),
    "Event": ("bus.event", "Event"),
    "Receipt": ("bus.event", "Receipt"),
    "Retry": ("bus.options", "Retry"),
    "BusError": ("bus.errors", "BusError"),
    "NoResponders": ("bus.errors", "NoResponders"),
    "RequestTimeout": ("bus.errors", "RequestTimeout"),
    "FluxError": ("errors", "FluxError"),
    "ScriptError": ("errors", "ScriptError"),
    "JobError": ("errors", "JobError"),
    "DataError": ("errors", "DataError"),
}

__all__ = ["__version__", *_PLACES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that ``import fluxcore`` stays quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'fluxcore' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(f"fluxcore.{module}"), attribute)


# Importing the package fluxcore.sql would put it here in place of the function: so it is imported first, and hidden.
import_module("fluxcore.sql")
del sql
