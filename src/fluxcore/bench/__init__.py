"""Measures FluxCore beside a rival: the same data, in turns, each run in a fresh process."""
