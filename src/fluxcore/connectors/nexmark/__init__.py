"""The events of the Nexmark benchmark as tables, and as files."""

from __future__ import annotations

from fluxcore.connectors.nexmark.config import SCHEMAS, NexmarkConfig
from fluxcore.connectors.nexmark.connector import NexmarkConnector

__all__ = ["SCHEMAS", "NexmarkConfig", "NexmarkConnector"]
