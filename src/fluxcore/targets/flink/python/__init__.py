"""Sends functions in Python to a Flink cluster that has PyFlink."""
