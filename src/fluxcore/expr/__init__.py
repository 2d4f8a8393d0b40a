"""Typed expressions over the columns of a batch: nodes, the function registry, binding, and compilation to kernels."""
