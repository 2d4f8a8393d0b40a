"""Logical plans as Flink SQL: statements, and what doesn't port and why."""

from __future__ import annotations

from fluxcore.targets.flink.portability import Unportable
from fluxcore.targets.flink.sql.job import PrintedJob, print_job
from fluxcore.targets.flink.sql.options import flink_options, fluxcore_options

__all__ = ["PrintedJob", "Unportable", "flink_options", "fluxcore_options", "print_job"]
