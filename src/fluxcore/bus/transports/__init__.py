"""Where events are kept and how they come back: one module a transport."""
