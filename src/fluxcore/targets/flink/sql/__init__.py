"""Logical plans as Flink SQL: statements, and what doesn't port and why."""
