"""Frys, the event bus."""
