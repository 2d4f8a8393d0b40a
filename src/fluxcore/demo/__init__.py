"""The demonstration: a year of real flights through streaming SQL, every answer compared with DuckDB's."""
