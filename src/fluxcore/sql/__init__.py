"""From SQL text to the bound logical plan."""
