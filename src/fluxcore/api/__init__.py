"""The fluent Python API, another builder of the same plan."""
