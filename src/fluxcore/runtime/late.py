"""Writes the rows that came too late for a window: one JSON lines file per operator instance, whole rows, as they came."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fluxcore.core import registry
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from fluxcore.core.batch import Batch
    from fluxcore.core.schema import Schema


class LateRows:
    """A file that is made with the first late row. In: ``folder`` made when missing; ``name`` of the file without suffix."""

    def __init__(self, folder: Path, name: str, schema: Schema) -> None:
        self.path = folder / f"{name}.jsonl"
        self._schema = schema
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._encoder = registry.find(registry.FORMATS, "json").encoder(schema, {})

    def write(self, batch: Batch) -> None:
        """Append rows. Raises ``JobError`` FX-RUN-0301 when the file can't be written."""
        try:
            with self._lock:
                if self._file is None:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = self.path.open("wb")
                self._file.write(self._encoder.encode(batch.data))
        except OSError as error:
            message = f"late rows can't be written to {self.path}: {error.strerror}"
            raise JobError("FX-RUN-0301", message, hint="check fluxcore.late-rows.path") from error

    def close(self) -> None:
        """Close the file, if there is one."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
