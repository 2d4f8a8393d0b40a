"""Runs a plan: stages, tasks, channels, watermarks, end of input, cancellation."""
