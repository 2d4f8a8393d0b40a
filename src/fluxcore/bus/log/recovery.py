"""Opens the files of a log for writing: finds what is whole, cuts what is torn, and lists what is damaged.

1. Leftovers go: hidden files, and segments that compaction replaced. 2. The manifest is read, or made again. 3. Each segment but
the last was synced before the next one was made: its index tells what it holds. 4. The last one is read from end to end. 5. What
is torn is filled with zeros and synced, before anything is written. 6. Good frames above the durable mark are written once more
and synced, since a failed sync may have left them in memory only: now all that is readable is durable. 7. The manifest names
what is damaged; behind damage no one writes, so a new segment follows.

It can be killed at any point and run again. No bytes of the files make it raise, except those of a newer format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.bus.log.index import SegmentIndex, index_name, load_index, make_index, save_index
from fluxcore.bus.log.live import read_live
from fluxcore.bus.log.manifest import Lost, Manifest, load, save
from fluxcore.bus.log.scan import Damage, Scan, last_byte, scan
from fluxcore.bus.log.segment import Cursor, Head, SegmentFile, SegmentName, SegmentView

if TYPE_CHECKING:
    from fluxcore.bus.log.files import Files


@dataclass(frozen=True, slots=True)
class SegmentState:
    """A segment of the log and what it holds."""

    name: SegmentName
    index: SegmentIndex
    size: int


@dataclass(slots=True)
class Recovered:
    """The log as recovery left it.

    ``active`` is the segment in which writing goes on, None where a new one is needed; ``lost`` is the damage that was not known.
    """

    manifest: Manifest
    segments: list[SegmentState] = field(default_factory=list)
    active: SegmentFile | None = None
    end: int = 0
    torn_bytes: int = 0
    lost: list[Lost] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    """Recovery under way. ``live`` is the mark that the last writer left; ``indexes`` are to be saved after the manifest."""

    files: Files
    folder: str
    size: int
    live: int
    fresh: bool
    changed: bool
    indexes: list[tuple[SegmentName, SegmentIndex]] = field(default_factory=list)


def recover(files: Files, folder: str, topic: str, size: int) -> Recovered:
    """Return the state of the log in a folder, made fit for writing; an empty folder becomes an empty log.

    In: ``size`` is the room that a segment gets.
    """
    names = live_segments(files, folder, remove=True)
    manifest = load(files, folder)
    work = _Work(files, folder, size, read_live(files, folder), manifest is None, manifest is None)
    state = Recovered(manifest or Manifest(topic, f"{files.random_id():016x}"))
    for name in names:
        view = SegmentView(files, folder, name)
        if name.first > state.end and state.segments:
            state.lost.append(_missing(state, name))
        index = _last(state, view, work) if name == names[-1] else _earlier(state, view, work)
        state.segments.append(SegmentState(name, index, view.size))
        state.end = max(state.end, name.first, index.end)
    if work.live > state.end:
        state.lost.append(
            Lost(state.end, work.live, str(names[-1]) if names else "", 0, 0, "the file ends before them")
        )
        state.end = work.live
    known = state.manifest.lost
    state.lost = [new for new in state.lost if not any(old.first <= new.first and new.end <= old.end for old in known)]
    if state.lost or work.changed:
        state.manifest.lost = known + state.lost
        save(files, folder, state.manifest)
    for name, index in work.indexes:
        save_index(files, folder, name, index)
        index.drop_entries()
    return state


def live_segments(files: Files, folder: str, *, remove: bool = False) -> list[SegmentName]:
    """Return the segments that make up the log, in order; ``remove`` does away with those that were replaced.

    A segment of a higher generation stands for all of lower ones whose first offset it covers: its name appeared in one step,
    when it was whole.
    """
    names = files.names(folder)
    found = sorted(name for name in map(SegmentName.of, names) if name is not None)
    kept: list[SegmentName] = []
    covered = -1
    by = 0
    for name in sorted(found, key=lambda each: (each.first, -each.generation)):
        if name.first < covered and name.generation < by:
            continue
        if kept and kept[-1].first == name.first:
            continue
        kept.append(name)
        if name.generation:
            head = SegmentView(files, folder, name).head
            covered, by = (head.end if head is not None and head.end is not None else name.first + 1), name.generation
    if remove:
        wanted = {str(name) for name in kept} | {index_name(name) for name in kept}
        for each in names:
            if each.endswith((".seg", ".idx", ".new")) and each not in wanted:
                files.remove(f"{folder}/{each}")
    return kept


def _missing(state: Recovered, name: SegmentName) -> Lost:
    """Return the offsets between a segment and the one before it, which no file holds."""
    before = state.segments[-1]
    return Lost(state.end, name.first, str(before.name), before.index.used, 0, "the file that held them is missing")


def _earlier(state: Recovered, view: SegmentView, work: _Work) -> SegmentIndex:
    """Return the index of a segment that is not the last; one that is missing is made from the whole segment."""
    index = None if work.fresh else load_index(view)
    if index is None or index.used > view.size:
        index = _index(state, view, scan(view, 2**63), work)
        work.indexes.append((view.name, index))
    else:
        index.drop_entries()
    return index


def _last(state: Recovered, view: SegmentView, work: _Work) -> SegmentIndex:
    """Read the last segment and make it fit for writing: steps 4 to 6."""
    found = scan(view, work.live)
    index = _index(state, view, found, work)
    segment = SegmentFile.reopen(
        work.files, work.folder, view.head or Head("", "", view.segment, view.name.first), view
    )
    try:
        segment.allocate(work.size)
        if found.torn is not None:
            segment.clear(found.torn.position, last_byte(view, found.torn.position))
            state.torn_bytes = found.torn.end_position - found.torn.position
        loose = next((each.position for each in found.headers if each.end_offset > found.durable), found.used)
        if loose < found.used:
            segment.rewrite(view.content.slice(loose, found.used - loose), loose)
        segment.sync()
    except BaseException:
        segment.close()
        raise
    if found.damages or view.head is None:
        segment.close()
        work.indexes.append((view.name, index))
        return index
    last = found.headers[-1]
    segment.cursor = Cursor(found.used, view.chain_after(last))
    segment.schemas = set(found.schemas)
    state.active = segment
    return index


def _index(state: Recovered, view: SegmentView, found: Scan, work: _Work) -> SegmentIndex:
    """Return the index of a segment that was read, and take in what it says: topic, schemas, damages."""
    if view.head is not None and work.fresh:
        state.manifest.topic, state.manifest.log = view.head.topic, view.head.log
    for content in found.schemas.values():
        work.changed = state.manifest.learn(content) or work.changed
    state.lost += [_lost(view, each) for each in found.damages if each.end > each.first]
    index = make_index(view, found.headers)
    compacted = view.head.end if view.head is not None and view.head.end is not None else 0
    index.end = max(index.end, found.end, compacted)
    return index


def _lost(view: SegmentView, damage: Damage) -> Lost:
    length = damage.end_position - damage.position
    return Lost(damage.first, damage.end, str(view.name), damage.position, length, damage.reason)
