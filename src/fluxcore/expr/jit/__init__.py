"""Compiles plain numeric functions written in Python: a small part of the language, translated so that no answer changes.

A function is translated (``functions``, ``statements``, ``expressions``), written as a module (``modules``), compiled in a child
process into the cache of kernels (``build``) and run over columns (``compiled``). What the compiled form can't decide as Python
would — a number beyond 64 bits, a division by zero, an exception — it leaves to Python, row by row.
"""
