"""Keyed columnar tables that hold every operator's state."""
