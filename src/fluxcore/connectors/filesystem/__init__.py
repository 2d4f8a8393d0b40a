"""Files in a local folder, as Flink's ``filesystem`` connector reads and writes them."""

from __future__ import annotations

from fluxcore.connectors.filesystem.connector import FilesystemConnector

__all__ = ["FilesystemConnector"]
