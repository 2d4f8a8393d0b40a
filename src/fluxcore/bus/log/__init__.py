"""The durable log of a topic: ``Log`` writes it, ``Reader`` reads it in any process, ``verify`` checks it."""

from fluxcore.bus.log.log import Appended, Log, LogStatistics
from fluxcore.bus.log.manifest import Lost
from fluxcore.bus.log.options import LogOptions, Retention
from fluxcore.bus.log.queue import Expect, Producer, Settled
from fluxcore.bus.log.reader import Reader, ReadOptions
from fluxcore.bus.log.reading import Frame
from fluxcore.bus.log.verify import Report, SegmentReport, verify

__all__ = [
    "Appended",
    "Expect",
    "Frame",
    "Log",
    "LogOptions",
    "LogStatistics",
    "Lost",
    "Producer",
    "ReadOptions",
    "Reader",
    "Report",
    "Retention",
    "SegmentReport",
    "Settled",
    "verify",
]
