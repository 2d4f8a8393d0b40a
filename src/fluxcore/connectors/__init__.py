"""Outside systems, each source beside its sink."""
