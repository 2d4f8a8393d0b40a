"""Benchmarks: both engines in turns, each run in a fresh process, medians."""
