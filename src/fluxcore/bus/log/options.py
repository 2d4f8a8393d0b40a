"""What can be chosen when a log is opened, with its bounds checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.bus.log.errors import wrong_option
from fluxcore.limits import (
    LOG_DEDUPLICATION_ROWS,
    LOG_FRAME_BYTES,
    LOG_GROUP_BYTES,
    LOG_IDLE_SYNC_US,
    LOG_PENDING_BYTES,
    LOG_SEGMENT_BYTES,
    LOG_SEGMENT_BYTES_MIN,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

ACKS = ("memory", "os", "disk")
COMPRESSIONS = ("none", "lz4", "zstd")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long events are kept; None keeps them for ever. Whole segments go, the oldest first, never the last one."""

    age_us: int | None = None
    size_bytes: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The options of a log.

    ``row_schema`` is needed by those who append single rows; ``encode`` makes a batch of rows, in the log's thread, in place of the
    plain way. ``keys`` name the columns that get Bloom filters. ``id_column`` makes
    a second event with an id that one of the last ``id_rows`` events had, not longer than ``id_us`` ago, a duplicate. ``key_column`` is the key of expected
    versions and of compaction. A segment is also ended when its first event is older than ``segment_us``.
    """

    topic: str = "log"
    row_schema: pa.Schema | None = None
    encode: Callable[[list[tuple[Any, ...]]], pa.RecordBatch] | None = None
    compression: str = "none"
    keys: tuple[str, ...] = ()
    key_column: str | None = None
    id_column: str | None = None
    id_rows: int = LOG_DEDUPLICATION_ROWS
    id_us: int | None = None
    retention: Retention = Retention()
    segment_bytes: int = LOG_SEGMENT_BYTES
    segment_us: int | None = None
    frame_bytes: int = LOG_FRAME_BYTES
    group_bytes: int = LOG_GROUP_BYTES
    pending_bytes: int = LOG_PENDING_BYTES
    idle_sync_us: int = LOG_IDLE_SYNC_US

    def __post_init__(self) -> None:
        if self.compression not in COMPRESSIONS:
            raise wrong_option(f"there is no compression '{self.compression}'; there are {', '.join(COMPRESSIONS)}")
        if self.segment_bytes < LOG_SEGMENT_BYTES_MIN:
            raise wrong_option(
                f"a segment has at least {LOG_SEGMENT_BYTES_MIN} bytes, and {self.segment_bytes} were asked for"
            )
        for name in ("frame_bytes", "group_bytes", "pending_bytes", "idle_sync_us", "id_rows"):
            if getattr(self, name) <= 0:
                raise wrong_option(f"{name} must be more than 0")

    @property
    def filtered(self) -> tuple[str, ...]:
        """The columns that get a Bloom filter."""
        extra = tuple(name for name in (self.key_column, self.id_column) if name is not None and name not in self.keys)
        return self.keys + extra


def check_acks(acks: str) -> None:
    """Raise ``ScriptError`` FX-LOG-0014 for an acknowledgement that does not exist."""
    if acks not in ACKS:
        raise wrong_option(f"there is no acknowledgement '{acks}'; there are {', '.join(ACKS)}")
