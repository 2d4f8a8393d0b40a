"""Vectorised stream operators and their kernels."""
