"""Logical plan nodes.

Every node is an immutable value that states its schema and its inputs; equal nodes compute the same rows, so a plan is a
graph in which equal sub-plans are one. SQL, the Python API and other builders make these nodes, the optimiser's rules
rewrite them, and targets execute or print them.
"""

from fluxcore.plan.hashes import remember_hashes
from fluxcore.plan.nodes.aggregates import Aggregate
from fluxcore.plan.nodes.joins import Interval, Join, JoinKind, TemporalJoin
from fluxcore.plan.nodes.node import Node, OneInput, TwoInputs, show, show_call
from fluxcore.plan.nodes.order import Over, OverCall, Rank, Sort, SortKey
from fluxcore.plan.nodes.processes import Connect, Map, Process
from fluxcore.plan.nodes.rows import Filter, Insert, Project, Scan, SideOutput, Union, Values
from fluxcore.plan.nodes.times import AssignWatermark, StampTime, TimeSort
from fluxcore.plan.nodes.windows import (
    WINDOW_TYPE,
    AssignWindow,
    Attached,
    WindowAggregate,
    WindowKind,
    WindowSpec,
    window_columns,
)

__all__ = [
    "WINDOW_TYPE",
    "Aggregate",
    "AssignWatermark",
    "AssignWindow",
    "Attached",
    "Connect",
    "Filter",
    "Insert",
    "Interval",
    "Join",
    "JoinKind",
    "Map",
    "Node",
    "OneInput",
    "Over",
    "OverCall",
    "Process",
    "Project",
    "Rank",
    "Scan",
    "SideOutput",
    "Sort",
    "SortKey",
    "StampTime",
    "TemporalJoin",
    "TimeSort",
    "TwoInputs",
    "Union",
    "Values",
    "WindowAggregate",
    "WindowKind",
    "WindowSpec",
    "show",
    "show_call",
    "window_columns",
]

remember_hashes(Node)
