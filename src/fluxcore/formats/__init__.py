"""Between bytes and batches: CSV, JSON lines, Parquet."""
