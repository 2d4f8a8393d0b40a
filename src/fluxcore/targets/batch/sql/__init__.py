"""Prints plan nodes as DuckDB's SQL over columns ``c0``, ``c1``, …"""
