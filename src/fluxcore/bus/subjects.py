"""Subjects, the addresses of events: tokens between dots. In a pattern ``*`` stands for one token and ``>`` for all that follow.

The rules are those of NATS, so that a subject means the same on every transport.
"""

from __future__ import annotations

import re

from fluxcore.bus.errors import BusError

_TOKEN = re.compile(r"[^\s.*>]+")
_CAPTURE = re.compile(r"\{(\w+)\}")


def check_subject(subject: str) -> str:
    """Return a subject that events can have. Raises ``BusError`` FX-BUS-0101."""
    if not isinstance(subject, str) or not all(_TOKEN.fullmatch(token) for token in subject.split(".")):
        hint = "write tokens between dots, without blanks and wildcards: orders.eu.created"
        raise BusError("FX-BUS-0101", f"'{subject}' is no subject", hint=hint)
    return subject


class Pattern:
    """A subject in which ``*``, ``{name}`` and ``>`` are wildcards; ``{name}`` is a ``*`` whose token can be taken up by name.

    Raises: ``BusError`` FX-BUS-0102 for a pattern that can match nothing.
    """

    __slots__ = ("_regex", "_tokens", "names", "text")

    def __init__(self, text: str) -> None:
        tokens = text.split(".")
        parts: list[str] = []
        names: list[str] = []
        for number, word in enumerate(tokens):
            capture = _CAPTURE.fullmatch(word)
            if word == ">" and number == len(tokens) - 1:
                parts.append("(.+)")
            elif word == "*" or capture:
                parts.append(r"([^.]+)")
            elif _TOKEN.fullmatch(word) and "{" not in word:
                parts.append(re.escape(word))
            else:
                hint = "* stands for one word, > at the end for all that follow: orders.*.created, orders.>"
                raise BusError("FX-BUS-0102", f"'{text}' is no pattern of subjects", hint=hint)
            if word in ("*", ">") or capture:
                names.append(capture[1] if capture else str(len(names) + 1))
        self.text = text
        self.names = tuple(names)
        self._regex = re.compile(r"\.".join(parts))
        self._tokens = tuple("*" if _CAPTURE.fullmatch(token) else token for token in tokens)

    def matches(self, subject: str) -> bool:
        """Return whether a subject is one of the pattern's."""
        return self._regex.fullmatch(subject) is not None

    def captures(self, subject: str) -> dict[str, str] | None:
        """Return what the wildcards stand for, by name or by number from 1; None when the subject doesn't match."""
        found = self._regex.fullmatch(subject)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))

    def overlaps(self, other: Pattern) -> bool:
        """Return whether some subject matches both patterns."""
        mine, its = self._tokens, other._tokens
        for a, b in zip(mine, its, strict=False):
            if ">" in (a, b):
                return True
            if a != b and "*" not in (a, b):
                return False
        return len(mine) == len(its)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"
