"""Operators that put rows into windows and aggregate them there."""
