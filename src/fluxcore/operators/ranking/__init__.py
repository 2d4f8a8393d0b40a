"""Operators that keep the first rows of each partition."""
