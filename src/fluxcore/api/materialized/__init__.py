"""Materialised tables: queries whose results a session keeps as tables while their jobs run."""
