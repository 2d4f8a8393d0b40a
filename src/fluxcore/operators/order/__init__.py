"""Operators that order rows, or look at the rows before them."""
