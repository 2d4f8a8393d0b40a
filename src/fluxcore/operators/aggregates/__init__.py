"""Aggregate functions as accumulators: columns by slot that take batches, merge and give results."""
