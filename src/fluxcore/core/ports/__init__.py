"""What an extension implements: sources, sinks, connectors, operators and the state that they ask for.

All of them work on batches.
"""

from fluxcore.core.ports.connectors import Connector
from fluxcore.core.ports.operators import CustomOperator, Operator, OperatorContext, no_side, no_wake
from fluxcore.core.ports.sinks import ChangeMode, Sink
from fluxcore.core.ports.sources import LookupSource, RowPolicy, Signal, Source, Split, SplitReader
from fluxcore.core.ports.state import KeyedTable, RowLog, RowTable, StateBackend
from fluxcore.core.ports.tables import (
    Bound,
    LookupRequest,
    Option,
    Pushdown,
    ScanRequest,
    SinkRequest,
    TableDescription,
)

__all__ = [
    "Bound",
    "ChangeMode",
    "Connector",
    "CustomOperator",
    "KeyedTable",
    "LookupRequest",
    "LookupSource",
    "Operator",
    "OperatorContext",
    "Option",
    "Pushdown",
    "RowLog",
    "RowPolicy",
    "RowTable",
    "ScanRequest",
    "Signal",
    "Sink",
    "SinkRequest",
    "Source",
    "Split",
    "SplitReader",
    "StateBackend",
    "TableDescription",
    "no_side",
    "no_wake",
]
