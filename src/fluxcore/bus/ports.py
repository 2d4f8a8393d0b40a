"""What a transport gives a bus: topics, and what lasts of its groups. Everything is called on the bus's event loop but where said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group
    from fluxcore.bus.options import Span, TopicOptions
    from fluxcore.bus.publishing import Publishing


class Topic(Protocol):
    """The events of one topic.

    ``start`` is the offset of the first event that is kept, ``end`` the one after the last that groups may see; ``slowest`` the
    position of the group that is furthest behind where publishers wait for it, and ``waiting`` those publishers. ``any_thread`` says
    that ``publish`` may be called on any thread; ``watched`` counts readers that follow.
    """

    any_thread: bool
    name: str
    options: TopicOptions
    groups: list[Group]
    start: int
    end: int
    slowest: int
    waiting: list[asyncio.Future[None]]
    watched: int

    @property
    def short(self) -> Callable[[str, Any, str | None, str | None], Publishing] | None:
        """Return what publishes, on the event loop, events of nothing but subject, payload, key and id; None where it takes no less."""

    def publish(self, event: Event, acks: str | None = None, expect: int | None = -1) -> Publishing:
        """Take an event. ``acks`` None is the topic's; ``expect`` what the last event of the key must be: -1 for any, None for none."""

    def fetch(self, offset: int, count: int) -> tuple[Sequence[Event], int]:
        """Return events from an offset on, up to about so many, and the offset to go on at.

        That is the same offset where nothing can be had now: the groups are notified when there is something.
        """

    def replay(self, span: Span) -> AsyncIterator[Sequence[Event]]:
        """Yield the kept events of a span, in pieces; of a batch that goes beyond there may be all."""

    async def offset_at(self, time_ms: int) -> int:
        """Return an offset before which no event was published at a time or after it, milliseconds since 1970."""

    def attach(self, group: Group) -> None:
        """Let a group have the events, from where it was or as its options say."""

    def detach(self, group: Group) -> None:
        """Let a group have no more events."""

    def look(self) -> None:
        """Find out how far the topic has come and where the slowest group stands, and let publishers go on that waited for it."""

    async def compact(self) -> None:
        """Keep of each key only its last event."""

    async def retain(self) -> int:
        """Remove what need not be kept, and return the first offset."""

    def is_quiet(self) -> bool:
        """Return whether every event that was published stands in the topic."""

    def statistics(self) -> dict[str, Any]:
        """Return the first and the next offset, and where each group stands."""


class Transport(Protocol):
    """Where the topics of a bus live.

    ``found`` is called with the name of a topic that another process has made, ``answer`` with a request of one.
    """

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        found: Callable[[str], None],
        answer: Callable[[Event], Awaitable[Any]],
    ) -> None:
        """Begin; every other call but ``declared`` comes after it."""

    def declared(self, name: str) -> TopicOptions | None:
        """Return the options of a topic that was declared before, perhaps by another process."""

    def topics(self) -> Sequence[str]:
        """Return the names of the topics that are there."""

    def topic(self, options: TopicOptions, *, declared: bool) -> Topic:
        """Return a topic, made if need be; where it is ``declared`` with other options than before, they hold from now on."""

    def declare_again(self, options: TopicOptions) -> None:
        """Let a topic that was taken up from before have other options. Raises ``BusError`` FX-BUS-0117 for another schema."""

    def join(self, group: str) -> None:
        """Take a named group for this process. Raises ``BusError`` FX-BUS-0402 where another one runs it."""

    def pause(self, group: str, *, paused: bool) -> None:
        """Remember whether a group is paused."""

    def is_paused(self, group: str) -> bool:
        """Return whether a group was paused, perhaps by an earlier process."""

    def giving_back(self) -> AbstractAsyncContextManager[None]:
        """Hold off other processes that want to give dead letters back; what is given back is remembered at its end."""

    def revived(self, topic: str, offset: int) -> bool:
        """Return whether a dead letter was given back already."""

    def revive(self, topic: str, offset: int) -> None:
        """Remember that a dead letter was given back."""

    def offer(self, subjects: Sequence[str]) -> None:
        """Let other processes ask the handlers of some subjects here."""

    async def ask(self, event: Event, timeout_ms: int, wanted: Any) -> Any:
        """Return what a handler in another process answers, as a type. Raises ``NoResponders`` FX-BUS-0302 where none takes the subject."""

    async def settle(self) -> None:
        """Return when all that was declared and published before is done or refused, and what lasts of groups is saved."""

    async def close(self) -> None:
        """End: what was published is written, what lasts of groups is saved, and everything is given back."""
