"""Topics as tables: the connector ``frys``."""
