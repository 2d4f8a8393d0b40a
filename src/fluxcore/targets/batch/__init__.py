"""The target ``batch``: bounded plans on DuckDB, with FluxCore's own kernels for what means something else there."""
