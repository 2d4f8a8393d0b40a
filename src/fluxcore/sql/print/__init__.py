"""Prints syntax trees as SQL in one canonical form: the text parses to the same tree again."""
