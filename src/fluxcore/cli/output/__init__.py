"""Writes result rows to standard output: table, JSON lines, CSV, changelog."""
