"""Functions written in Python as operators: keyed ones row by row or batch by batch, and calls of other systems."""
