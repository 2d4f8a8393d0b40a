"""Optimiser rules, one a file: each is a function from the plan's roots to equivalent roots."""
