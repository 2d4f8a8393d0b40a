"""Paths into JSON values: `$.a.b[0]`, `$['a']`, `[*]`, `..`, slices, filters, `length()`, in strict or lax mode.

A definite path (one without `*`, `..`, slices, filters, several names or places) gives one value, any other the list of
what it finds. Source: Flink reads paths as Jayway's JsonPath does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fluxcore.expr.json_filters import FilterParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Test = Callable[[Any, Any], bool]

_MODE = re.compile(r"\s*(strict|lax)\s+(.+)", re.IGNORECASE | re.DOTALL)
_NAME_END = re.compile(r"[ .\[(]")
_SLICE = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*")


class BadPathError(ValueError):
    """A path that can't be read."""


class MissingError(ValueError):
    """A definite path that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: ``names`` of fields, ``places`` in an array, a slice, a filter, a call, or all."""

    kind: str
    names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    bounds: tuple[int | None, int | None] = (None, None)
    test: Test | None = None

    def is_definite(self, *, last: bool) -> bool:
        """Return whether the step leads to one value at most."""
        if self.kind == "names":
            return len(self.names) == 1 or last
        return self.kind == "call" or (self.kind == "places" and len(self.places) == 1)


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was read: ``lax`` where what is missing is no error."""

    lax: bool
    steps: tuple[Step, ...]

    @property
    def is_definite(self) -> bool:
        """Return whether the path gives one value rather than a list."""
        return all(step.is_definite(last=place == len(self.steps) - 1) for place, step in enumerate(self.steps))

    def read(self, value: Any) -> Any:
        """Return what the path leads to.

        Raises: ``MissingError`` in strict mode, where a definite path leads nowhere.
        """
        if value is None:
            raise MissingError("a path needs a value other than null")
        found: list[Any] = []
        self._walk(value, 0, definite=True, found=found, root=value)
        if not self.is_definite:
            return found
        if not found and not self.lax:
            raise MissingError("the path leads nowhere")
        return found[-1] if found else None

    def _walk(self, value: Any, place: int, *, definite: bool, found: list[Any], root: Any) -> None:
        if place == len(self.steps):
            found.append(value)
            return
        step = self.steps[place]
        last = place == len(self.steps) - 1
        onward = definite and step.is_definite(last=last)
        if step.kind == "scan":
            for each in _deep(value):
                following = self.steps[place + 1]
                if _matches(following, each):
                    self._walk(each, place + 1, definite=False, found=found, root=root)
            return
        for each in self._next(step, value, definite=definite, last=last, root=root):
            self._walk(each, place + 1, definite=onward, found=found, root=root)

    def _next(self, step: Step, value: Any, *, definite: bool, last: bool, root: Any) -> Sequence[Any]:
        if step.kind == "all":
            return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        if step.kind == "call":
            return [_called(step.names[0], value)]
        if step.kind == "filter":
            assert step.test is not None
            if not isinstance(value, dict | list) and definite:
                raise BadPathError("a filter can't be applied to a plain value")
            several = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
            return [each for each in several if step.test(each, root)]
        if step.kind == "names":
            found = isinstance(value, dict)
            return self._fields(step, value, definite, last) if found else self._nothing(strict=definite)
        if not isinstance(value, list):
            return self._nothing(strict=definite)
        if step.kind == "slice":
            return value[slice(*_bounds(step, len(value)))]
        return [value[at] for at in step.places if -len(value) <= at < len(value)]

    def _fields(self, step: Step, value: dict[str, Any], definite: bool, last: bool) -> Sequence[Any]:
        held = [name for name in step.names if name in value]
        if last and len(step.names) > 1:
            return [{name: value[name] for name in held}]
        if len(held) < len(step.names) and not last:
            self._nothing(strict=definite and len(step.names) == 1)
        return [value[name] for name in held]

    def _nothing(self, *, strict: bool) -> Sequence[Any]:
        if strict and not self.lax:
            raise MissingError("the path leads nowhere")
        return []


def _bounds(step: Step, size: int) -> tuple[int, int]:
    start, end = step.bounds
    if end is None:
        return max(size + start, 0) if start is not None and start < 0 else start or 0, size
    end = size + end if end < 0 else end
    start = start or 0
    return (max(size + start, 0) if start < 0 else start), max(end, 0)


def _deep(value: Any) -> Iterator[Any]:
    """Yield a value and all objects and arrays inside, outer ones first."""
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _deep(each)


def _matches(step: Step, value: Any) -> bool:
    if step.kind == "names":
        return isinstance(value, dict) and any(name in value for name in step.names)
    return step.kind in ("all", "filter", "call") or isinstance(value, list)


def _called(name: str, value: Any) -> Any:
    if name in ("length", "size"):
        return len(value) if isinstance(value, dict | list) else None
    if name == "keys":
        return list(value) if isinstance(value, dict) else None
    items = value if isinstance(value, list) else []
    if name in ("first", "last"):
        if not items:
            raise MissingError(f"{name}() of nothing")
        return items[0 if name == "first" else -1]
    numbers = [float(each) for each in items if isinstance(each, int | Decimal) and not isinstance(each, bool)]
    if not numbers:
        raise MissingError(f"{name}() of no numbers")
    found = {"sum": sum(numbers), "min": min(numbers), "max": max(numbers), "avg": sum(numbers) / len(numbers)}[name]
    return Decimal(repr(found))


_CALLS = frozenset({"length", "size", "keys", "first", "last", "sum", "min", "max", "avg"})


@lru_cache(maxsize=1024)
def path_of(text: str) -> Path:
    """Return a path with its mode, which is strict unless the text says `lax`. Raises ``BadPathError``."""
    moded = _MODE.fullmatch(text)
    return Path(bool(moded) and moded[1].lower() == "lax" if moded else False, _steps_of(moded[2] if moded else text))


def _steps_of(text: str) -> tuple[Step, ...]:
    text = text.strip(" ")
    if not text:
        raise BadPathError("a path can't be empty")
    if text[0] not in "$@":
        text = f"$.{text}"
    if text.endswith("."):
        raise BadPathError("a path can't end with '.'")
    steps, at = [], 1
    if len(text) > 1 and text[1] not in ".[":
        raise BadPathError("'.' or '[' must follow '$'")
    while at < len(text):
        if text.startswith("..", at):
            steps.append(Step("scan"))
            at += 2
            if at == len(text):
                raise BadPathError("a path can't end with '..'")
            if text[at] == "[":
                continue
            step, at = _dotted(text, at)
        elif text[at] == ".":
            step, at = _dotted(text, at + 1)
        elif text[at] == "[":
            step, at = _bracketed(text, at)
        else:
            raise BadPathError(f"'{text[at]}' is not expected in a path")
        steps.append(step)
    return tuple(steps)


def _dotted(text: str, at: int) -> tuple[Step, int]:
    if at < len(text) and text[at] == "[":
        return _bracketed(text, at)
    if text.startswith("*", at):
        return Step("all"), at + 1
    found = _NAME_END.search(text, at)
    end = found.start() if found else len(text)
    name = text[at:end]
    if found and found[0] == "(":
        if name not in _CALLS or not text.startswith("()", end):
            raise BadPathError(f"there is no function '{name}' in paths")
        return Step("call", names=(name,)), end + 2
    if not name or (found and found[0] == " "):
        raise BadPathError("a name with a blank needs ['…']")
    return Step("names", names=(name,)), end


def _bracketed(text: str, at: int) -> tuple[Step, int]:
    inside = at + 1
    while text.startswith(" ", inside):
        inside += 1
    if text[inside : inside + 1] in ("'", '"'):
        return _named(text, inside)
    if text.startswith("?", inside):
        start = text.find("(", inside)
        if start < 0:
            raise BadPathError("a filter needs '('")
        parser = FilterParser(text, start + 1, path_from)
        test = parser.parse()
        return Step("filter", test=test), _closed(text, parser.at)
    end = text.find("]", inside)
    if end < 0:
        raise BadPathError("']' is missing")
    content = text[inside:end].strip(" ")
    if content == "*":
        return Step("all"), end + 1
    sliced = _SLICE.fullmatch(content)
    if sliced and (sliced[1] or sliced[2]):
        first, last = (int(each) if each not in ("", "-") else None for each in sliced.groups())
        return Step("slice", bounds=(first, last)), end + 1
    parts = [part.strip() for part in content.split(",")]
    if not all(re.fullmatch(r"-?\d+", part, re.ASCII) for part in parts):
        raise BadPathError(f"'[{content}]' is no step of a path")
    return Step("places", places=tuple(int(part) for part in parts)), end + 1


def _named(text: str, at: int) -> tuple[Step, int]:
    names = []
    while True:
        quote, name, at = text[at], "", at + 1
        while at < len(text) and text[at] != quote:
            if text[at] == "\\" and at + 1 < len(text):
                at += 1
            name, at = name + text[at], at + 1
        names.append(name)
        at += 1
        while text.startswith(" ", at):
            at += 1
        if not text.startswith(",", at):
            return Step("names", names=tuple(names)), _closed(text, at)
        at += 1
        while text.startswith(" ", at):
            at += 1
        if text[at : at + 1] not in ("'", '"'):
            raise BadPathError("a name is missing")


def _closed(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    if not text.startswith("]", at):
        raise BadPathError("']' is missing")
    return at + 1


def path_from(text: str) -> Callable[[Any], Any]:
    """Return what reads a path inside a filter: a value, or raises ``MissingError``."""
    return Path(lax=False, steps=_steps_of(text)).read
