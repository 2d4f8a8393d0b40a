"""The topics of a bus: which subject belongs to which, and which groups have the events of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.bus.dead_letters import TOPIC as DEAD
from fluxcore.bus.errors import BusError
from fluxcore.bus.group import Group
from fluxcore.bus.options import HandlerOptions, Selection, TopicOptions
from fluxcore.bus.subjects import Pattern, check_subject
from fluxcore.bus.workers import Workers
from fluxcore.limits import BUS_DEAD_LETTERS_KEPT, BUS_KEPT_EVENTS, BUS_SUBJECTS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.bus.group import Bury
    from fluxcore.bus.handlers import Handler
    from fluxcore.bus.ports import Topic, Transport


@dataclass(frozen=True, slots=True)
class Registration:
    """A handler as it was registered: for which events, in which group."""

    handler: Handler
    group: str
    selection: Selection
    options: HandlerOptions


class Topics:
    """All topics by name. A subject belongs to the declared topic that claims it, else to the one named by its first token.

    A topic comes to be when it is declared or with its first event; every registered handler that may want its subjects then gets
    a place in it, so that handlers may be registered before and after.
    """

    def __init__(self, transport: Transport, bury: Bury) -> None:
        self._transport = transport
        self.by_name: dict[str, Topic] = {}
        self.workers: list[Workers] = []
        self._bury = bury
        self._declared: list[TopicOptions] = []
        self._registered: list[Registration] = []
        self.of_subject: dict[str, Topic] = {}
        self._runs = False
        self._taken_up: set[str] = set()

    def declare(self, options: TopicOptions) -> None:
        """Declare a topic. Raises ``BusError`` FX-BUS-0106 where it exists, or another topic claims the subjects."""
        known = self.by_name.get(options.name)
        made_here = known is not None and options.name not in self._taken_up
        if made_here or any(options.name == each.name for each in self._declared):
            raise BusError(
                "FX-BUS-0106", f"the topic '{options.name}' exists", hint="declare it before the first event"
            )
        for other in self._declared:
            if any(mine.overlaps(its) for mine in options.subjects for its in other.subjects):
                raise BusError(
                    "FX-BUS-0106", f"topic '{other.name}' has some of the subjects of '{options.name}' already"
                )
        if known is not None:
            self._transport.declare_again(options)
            self._taken_up.discard(options.name)
            self.of_subject.clear()
        elif self._runs:
            self._make(options, declared=True)
        self._declared.append(options)

    def register(self, registration: Registration) -> None:
        """Let a handler have events. Raises ``BusError`` FX-BUS-0107 where its group takes other subjects."""
        for other in self._registered:
            if other.group == registration.group and _texts(other) != _texts(registration):
                message = f"the group '{other.group}' takes {', '.join(_texts(other))}, and this handler other subjects"
                raise BusError("FX-BUS-0107", message, hint="give it a group of its own")
        if self._runs:
            self._join(registration)
            self._transport.offer(_texts(registration))
        self._registered.append(registration)
        if self._runs:
            for topic in list(self.by_name.values()):
                self._attach(registration, topic)

    def start(self) -> None:
        """Make the topics that are declared or there, and start the handlers; to be called on the event loop."""
        for registration in self._registered:
            self._join(registration)
            self._transport.offer(_texts(registration))
        self._runs = True
        for options in self._declared:
            self._make(options, declared=True)
        for name in self._transport.topics():
            self.find(name)

    def find(self, name: str) -> Topic | None:
        """Return a topic that is there, perhaps made by another process; None where there is none."""
        found = self.by_name.get(name)
        if found is None:
            options = self._transport.declared(name)
            if options is not None:
                self._taken_up.add(name)
                found = self._make(options, declared=False)
                self.of_subject.clear()
        return found

    def of(self, subject: str) -> Topic:
        """Return the topic of a subject, which is made if need be. Raises ``BusError`` FX-BUS-0101."""
        found = self.of_subject.get(subject)
        if found is None:
            check_subject(subject)
            first = subject.split(".", 1)[0]
            claimed = (each.name for each in self._claims if any(one.matches(subject) for one in each.subjects))
            name = next(claimed, first)
            found = self.by_name.get(name) or self.find(name)
            if found is None:
                found = self._make(_undeclared(name), declared=False)
            if len(self.of_subject) >= BUS_SUBJECTS_MAX:
                self.of_subject.clear()
            self.of_subject[subject] = found
        return found

    def wanted(self, subject: str) -> Topic | None:
        """Return the topic of a subject if some handler may take it; a subject that nobody takes makes no topic.

        Raises: ``BusError`` FX-BUS-0101.
        """
        check_subject(subject)
        if any(each.selection.wants(subject) for each in self._registered):
            return self.of(subject)
        return None

    def matching(self, patterns: Iterable[Pattern]) -> list[Topic]:
        """Return the topics that may have events of some patterns."""
        wanted = tuple(patterns)
        return [topic for topic in self.by_name.values() if _may_have(topic.options, wanted)]

    def groups(self) -> list[Group]:
        """Return the groups of all topics."""
        return [group for topic in self.by_name.values() for group in topic.groups]

    @property
    def _claims(self) -> Iterable[TopicOptions]:
        """The topics that were declared here, then those that were found."""
        return [*self._declared, *(each.options for each in self.by_name.values())]

    def _join(self, registration: Registration) -> None:
        if registration.options.group is not None:
            self._transport.join(registration.group)

    def _make(self, options: TopicOptions, *, declared: bool) -> Topic:
        topic = self.by_name[options.name] = self._transport.topic(options, declared=declared)
        for registration in self._registered:
            self._attach(registration, topic)
        return topic

    def _attach(self, registration: Registration, topic: Topic) -> None:
        if not _may_have(topic.options, registration.selection.patterns):
            return
        group = next((each for each in topic.groups if each.name == registration.group), None)
        if group is None:
            group = Group(topic, registration.group, registration.selection, registration.options, self._bury)
            group.paused = self._transport.is_paused(group.name)
            topic.attach(group)
        self.workers.append(Workers(group, registration.handler, registration.options))


def _undeclared(name: str) -> TopicOptions:
    """Return the options of a topic that nobody declared. Dead letters are kept for long, also in memory."""
    subjects = (Pattern(name), Pattern(f"{name}.>"))
    return TopicOptions(name, subjects, keep=BUS_DEAD_LETTERS_KEPT if name == DEAD else BUS_KEPT_EVENTS)


def _may_have(options: TopicOptions, wanted: Iterable[Pattern]) -> bool:
    return any(mine.overlaps(other) for other in wanted for mine in options.subjects)


def _texts(registration: Registration) -> tuple[str, ...]:
    return tuple(pattern.text for pattern in registration.selection.patterns)
