"""The pieces of a running chain: each takes rows and watermarks and hands them to the pieces after it.

One natural way: ``push`` rows with the watermark steps inside them, ``watermark`` between batches, ``end`` once. A piece
that several inputs feed is told which one speaks. Work that needs no order is done in ``prepare``, which a source calls from
several threads before it hands the result over in order.
"""

from fluxcore.runtime.nodes.exchange import BroadcastNode, ExchangeNode, Route
from fluxcore.runtime.nodes.failures import errors_of, located
from fluxcore.runtime.nodes.maps import MapNode
from fluxcore.runtime.nodes.operators import OperatorNode
from fluxcore.runtime.nodes.partials import Partials, aggregated
from fluxcore.runtime.nodes.receiver import Outlet, Receiver, earliest
from fluxcore.runtime.nodes.sinks import SinkNode

__all__ = [
    "BroadcastNode",
    "ExchangeNode",
    "MapNode",
    "OperatorNode",
    "Outlet",
    "Partials",
    "Receiver",
    "Route",
    "SinkNode",
    "aggregated",
    "earliest",
    "errors_of",
    "located",
]
