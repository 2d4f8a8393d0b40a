"""Checks every byte of a log without changing anything, in any process, and tells what each segment holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.bus.log.errors import missing
from fluxcore.bus.log.files import Files, OsFiles
from fluxcore.bus.log.frame import Kind
from fluxcore.bus.log.index import make_index
from fluxcore.bus.log.live import read_live
from fluxcore.bus.log.manifest import Lost, Manifest, load
from fluxcore.bus.log.reading import decode
from fluxcore.bus.log.recovery import live_segments
from fluxcore.bus.log.scan import scan
from fluxcore.bus.log.schemas import read_schema
from fluxcore.bus.log.segment import SegmentName, SegmentView

if TYPE_CHECKING:
    from fluxcore.bus.log.index import SegmentIndex
    from fluxcore.bus.log.scan import Scan


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """What a segment holds: offsets from ``first`` up to ``end``, and in bytes the file's size and what is used of it."""

    name: str
    first: int
    end: int
    frames: int
    rows: int
    used_bytes: int
    size_bytes: int
    time_min_us: int
    time_max_us: int
    generation: int
    stored_bytes: int
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``lost`` are offsets that can't be read; ``chain_breaks`` name segments that don't follow the one before.

    ``torn_bytes`` is the end of a write that did not finish, as a crash leaves it: the next opening for writing cuts it. It is no
    fault, so ``ok`` ignores it.
    """

    topic: str
    segments: tuple[SegmentReport, ...]
    durable_end: int
    torn_bytes: int
    lost: tuple[Lost, ...]
    chain_breaks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that was acknowledged is there and whole."""
        return not self.lost and not self.chain_breaks


def verify(folder: str, files: Files | None = None) -> Report:
    """Read a log from end to end. Raises ``ScriptError`` FX-LOG-0013 where there is none. Cost: reads every byte."""
    files = files or OsFiles()
    try:
        names = live_segments(files, folder)
    except FileNotFoundError as error:
        raise missing(folder) from error
    manifest = load(files, folder)
    if manifest is None and not names:
        raise missing(folder)
    live = read_live(files, folder)
    reports: list[SegmentReport] = []
    lost: list[Lost] = []
    breaks: list[str] = []
    torn = 0
    durable, end, chain = live, 0, ""
    for name in names:
        view = SegmentView(files, folder, name)
        last = name == names[-1]
        found = scan(view, live if last else 2**63)
        index = make_index(view, found.headers)
        if reports and name.first > end:
            lost.append(Lost(end, name.first, str(name), 0, 0, "the file that held them is missing"))
        if reports and chain and view.head is not None and view.head.chain not in {"", chain}:
            breaks.append(str(name))
        lost += [
            Lost(each.first, each.end, str(name), each.position, each.end_position - each.position, each.reason)
            for each in found.damages
            if each.end > each.first
        ]
        lost += _undecodable(view, found, manifest)
        torn += found.torn.end_position - found.torn.position if found.torn is not None else 0
        compacted = view.head.end if view.head is not None and view.head.end is not None else 0
        end = max(end, name.first, found.end, compacted)
        durable = max(durable, found.durable if last else end)
        chain = _closing(view, index, damaged=bool(found.damages))
        reports.append(_segment_report(name, view, found, index))
    if end < live:
        lost.append(Lost(end, live, str(names[-1]) if names else "", 0, 0, "the file ends before them"))
    known = manifest.lost if manifest is not None else []
    lost += [each for each in known if not any(new.first <= each.first and each.end <= new.end for new in lost)]
    topic = manifest.topic if manifest is not None else ""
    return Report(topic, tuple(reports), durable, torn, tuple(lost), tuple(breaks))


def _undecodable(view: SegmentView, found: Scan, manifest: Manifest | None) -> list[Lost]:
    """Return the frames whose checksums are right and whose bytes are no events of their schema."""
    schemas = {id_: read_schema(content) for id_, content in found.schemas.items()}
    lost = []
    for header in found.headers:
        if header.kind != Kind.DATA:
            continue
        schema = schemas.get(header.schema) or (manifest.schema(header.schema) if manifest is not None else None)
        if schema is None or decode(view, header, schema) is None:
            reason = "their schema is damaged" if schema is None else "its bytes are no events"
            length = header.next_position - header.position
            lost.append(Lost(header.first_offset, header.end_offset, str(view.name), header.position, length, reason))
    return lost


def _closing(view: SegmentView, index: SegmentIndex, *, damaged: bool) -> str:
    """Return the chain value that the next segment must name; nothing where damage hides it."""
    if view.head is not None and view.head.generation:
        return view.head.closes
    return "" if damaged else index.chain.hex()


def _segment_report(name: SegmentName, view: SegmentView, found: Scan, index: SegmentIndex) -> SegmentReport:
    events = [each for each in found.headers if each.kind == Kind.DATA]
    return SegmentReport(
        str(name),
        name.first,
        max(found.end, name.first),
        index.frames,
        index.rows,
        found.used,
        view.size,
        index.time_min_us,
        index.time_max_us,
        name.generation,
        sum(each.body_length for each in events),
        sum(each.raw_length for each in events),
    )
