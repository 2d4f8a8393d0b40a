"""The fluxcore command."""
