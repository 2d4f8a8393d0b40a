"""The one logical plan: immutable nodes that state their schema, and the rules that rewrite them."""
