r"""Java's regular expressions as Python's, and as RE2's where that is fast and the same.

The pattern is parsed as ``java.util.regex.Pattern`` does, with its errors; characters and classes become sets of code points (so
that ``\p{…}``, ``&&`` and case are Java's), all else becomes the group or assertion of Python that does the same. What Python can't
do (``\G``, ``\X``, a look behind of varying length) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from fluxcore.errors import DataError
from fluxcore.expr import char_sets as sets
from fluxcore.expr.char_sets import Ranges
from fluxcore.expr.java_classes import ClassParser, class_escape

_PATTERNS_MAX = 1000
"""Compiled patterns that are kept."""


class BadPattern(ValueError):
    """A pattern that is no regular expression in Java either."""


@dataclass(frozen=True, slots=True)
class JavaPattern:
    """A compiled pattern. ``re2`` the same for RE2, or None; then ``plain_only`` says which texts it is the same for.

    ``plain_only``: texts without line ends (``lines``) or of ASCII alone (``ascii``). ``optional``: whether a match may leave a group out.
    """

    python: re.Pattern[str]
    re2: str | None
    plain_only: frozenset[str]
    optional: bool

    @property
    def groups(self) -> int:
        """Return how many groups the pattern has."""
        return self.python.groups

    @property
    def may_be_empty(self) -> bool:
        """Return whether the pattern matches the empty text."""
        return self.python.match("") is not None


@lru_cache(_PATTERNS_MAX)
def java_regex(pattern: str) -> JavaPattern:
    """Return the compiled pattern. Raises ``BadPattern``, and ``DataError`` FX-RUN-0104 for one that can't be done here."""
    parser = _Parser(pattern)
    python = parser.whole()
    try:
        compiled = re.compile(python)
    except (re.error, OverflowError, RecursionError) as error:
        raise unsupported(pattern, str(error)) from error
    return JavaPattern(compiled, parser.re2_text(), frozenset(parser.plain_only), parser.optional)


def unsupported(pattern: str, what: str) -> DataError:
    """Return the error for a pattern that Java knows."""
    return DataError("FX-RUN-0104", f"the regular expression '{pattern}' is not supported: {what}")


@dataclass(frozen=True, slots=True)
class _Flags:
    """The flags in force: case (i), all of Unicode's cases (u) and classes (U), dots (s), lines (m), comments (x), unix lines (d)."""

    i: bool = False
    u: bool = False
    U: bool = False
    s: bool = False
    m: bool = False
    x: bool = False
    d: bool = False


_END = r"(?=\r\n\Z|(?<!\r)\n\Z|[\r\x85\u2028\u2029]\Z|\Z)"
_LINE_END = r"(?=\r\n|(?<!\r)\n|[\r\x85\u2028\u2029]|\Z)"
_LINE_START = r"(?:\A|(?:(?<=[\n\x85\u2028\u2029])|(?<=\r)(?!\n))(?!\Z))"
_NAME = re.compile("[a-zA-Z][a-zA-Z0-9]*")
_COUNTS = re.compile(r"\{(\d+)(,(\d*))?\}")


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.flags = _Flags()
        self.plain_only: set[str] = set()
        self.optional = False
        self._endless = False
        self._groups = 0
        self._open: list[int] = []
        self._names: dict[str, int] = {}
        self._re2: list[str] | None = []

    def re2_text(self) -> str | None:
        """Return the pattern for RE2, or None where it has no such form."""
        return None if self._re2 is None else "".join(self._re2)

    def whole(self) -> str:
        """Return the pattern for Python."""
        text = self._alternatives()
        if self.at < len(self.pattern):
            raise self.wrong("a ')' closes nothing")
        return text

    def wrong(self, why: str) -> BadPattern:
        return BadPattern(why)

    def ahead(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def take(self, text: str) -> bool:
        if not self.ahead(text):
            return False
        self.at += len(text)
        return True

    def both(self, text: str) -> str:
        """Note a piece that RE2 writes as Python does."""
        if self._re2 is not None:
            self._re2.append(text)
        return text

    def only_python(self, text: str) -> str:
        """Note a piece that RE2 can't do."""
        self._re2 = None
        return text

    def _alternatives(self) -> str:
        found = self._sequence()
        while self.take("|"):
            groups = self._groups
            found += self.both("|") + self._sequence()
            self.optional |= "(" in found or self._groups > groups
        return found

    def _sequence(self) -> str:
        found = ""
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            if self.flags.x and self._comment():
                continue
            start = 0 if self._re2 is None else len(self._re2)
            atom = self._atom()
            found += self._repeated(atom, start) if atom is not None else ""
        return found

    def _comment(self) -> bool:
        if self.pattern[self.at] in " \t\n\x0b\f\r":
            self.at += 1
            return True
        if not self.take("#"):
            return False
        end = self.pattern.find("\n", self.at)
        self.at = len(self.pattern) if end < 0 else end + 1
        return True

    def _repeated(self, atom: str, start: int) -> str:
        while self.flags.x and self.at < len(self.pattern) and self._comment():
            continue
        counts = _COUNTS.match(self.pattern, self.at)
        if self.at < len(self.pattern) and self.pattern[self.at] in "*+?":
            quantifier = self.pattern[self.at]
            self.at += 1
        elif counts:
            low, high = int(counts[1]), int(counts[3]) if counts[3] else None
            if high is not None and high < low:
                raise self.wrong("the counts of {} are the wrong way round")
            quantifier = counts[0]
            self.at = counts.end()
        elif self.ahead("{"):
            raise self.wrong("a '{' counts nothing")
        else:
            return atom
        if not atom:
            raise self.wrong(f"'{quantifier}' repeats nothing")
        self._endless |= quantifier in "*+" or (counts is not None and counts[2] == ",")
        self.optional |= "(" in atom and (quantifier in "*?" or quantifier.startswith("{0"))
        kind = "+" if self.take("+") else "?" if self.take("?") else ""
        if kind == "+":
            self._re2 = None
        if self._re2 is not None:
            self._re2[start:] = ["(?:", *self._re2[start:], ")", quantifier, kind]
        return f"(?:{atom}){quantifier}{kind}"

    def _atom(self) -> str | None:
        """Return the next atom; None for flags, which change what follows."""
        letter = self.pattern[self.at]
        if letter == "(":
            return self._group()
        if letter in "*+?":
            raise self.wrong(f"'{letter}' repeats nothing")
        if letter == "{":
            if not _COUNTS.match(self.pattern, self.at):
                raise self.wrong("a '{' counts nothing")
            return self.both("(?:)")
        self.at += 1
        if letter == "[":
            return self.one_of(ClassParser(self.pattern, self.at, self.flags, self).whole())
        if letter == ".":
            return self._dot()
        if letter == "^":
            return self._start()
        if letter == "$":
            return self._end()
        if letter == "\\":
            return self._escape()
        return self.one_of(sets.of(letter), cased=True)

    def one_of(self, ranges: Ranges, *, cased: bool = False) -> str:
        """Return the piece for a set of characters; ``cased`` where case may not count."""
        if cased and self.flags.i:
            ranges = sets.without_case(ranges, unicode=self.flags.u)
        if not ranges:
            return self.only_python("(?!)")
        if self._re2 is not None:
            self._re2.append(_re2_set(ranges))
        return _python_set(ranges)

    def _dot(self) -> str:
        if self.flags.s:
            return self.one_of(sets.ANY)
        return self.one_of(sets.inverted(sets.of("\n") if self.flags.d else sets.TERMINATORS))

    def _start(self) -> str:
        if not self.flags.m:
            if self._re2 is not None:
                self._re2.append(r"\A")
            return r"\A"
        return self.only_python(r"(?:\A|(?<=\n)(?!\Z))" if self.flags.d else _LINE_START)

    def _end(self, *, lines: bool = True) -> str:
        if self.flags.m and lines:
            return self.only_python(r"(?=\n|\Z)" if self.flags.d else _LINE_END)
        if self._re2 is not None:
            self._re2.append(r"\z")
        self.plain_only.add("lines")
        return r"(?=\n?\Z)" if self.flags.d else _END

    def _group(self) -> str | None:
        self.at += 1
        flags = self.flags
        if not self.take("?"):
            return self._capture("(", flags)
        for opening in ("<=", "<!"):
            if self.take(opening):
                return self._look_behind(opening, flags)
        if self.take("<"):
            return self._named(flags)
        for opening in (":", "=", "!", ">"):
            if self.take(opening):
                note = self.both if opening == ":" else self.only_python
                return self._closed(note("(?" + opening), flags)
        return self._flag_group(flags)

    def _capture(self, opening: str, flags: _Flags) -> str:
        self._groups += 1
        self._open.append(self._groups)
        found = self._closed(self.both(opening), flags)
        self._open.pop()
        return found

    def _named(self, flags: _Flags) -> str:
        name = _NAME.match(self.pattern, self.at)
        if name is None or self.pattern[name.end() : name.end() + 1] != ">":
            raise self.wrong("a group has no proper name")
        if name[0] in self._names:
            raise self.wrong(f"two groups are named {name[0]}")
        self.at = name.end() + 1
        self._names[name[0]] = self._groups + 1
        return self._capture("(", flags)

    def _closed(self, opening: str, flags: _Flags) -> str:
        inside = self._alternatives()
        if not self.take(")"):
            raise self.wrong("a '(' is not closed")
        self.flags = flags
        return opening + inside + self.both(")")

    def _look_behind(self, opening: str, flags: _Flags) -> str:
        """Return a look behind; Python wants each of its alternatives alone, as each may have a length of its own."""
        self.only_python("")
        endless, self._endless = self._endless, False
        parts = [self._sequence()]
        while self.take("|"):
            parts.append(self._sequence())
        if not self.take(")"):
            raise self.wrong("a '(' is not closed")
        if self._endless:
            raise unsupported(self.pattern, "what is looked for behind has no fixed length")
        self.flags, self._endless = flags, endless
        looks = [f"(?{opening}{part})" for part in parts]
        return "".join(looks) if opening == "<!" else f"(?:{'|'.join(looks)})"

    def _flag_group(self, before: _Flags) -> str | None:
        on, changed = True, before
        while self.at < len(self.pattern) and self.pattern[self.at] in "idmsuxU-":
            letter = self.pattern[self.at]
            self.at += 1
            if letter == "-":
                on = False
            else:
                changed = replace(changed, **{letter: on})
                if letter == "U":
                    changed = replace(changed, u=on)
        if self.take(")"):
            self.flags = changed
            return None
        if not self.take(":"):
            raise self.wrong("what stands behind '(?' is unknown")
        self.flags = changed
        return self._closed(self.both("(?:"), before)

    def _escape(self) -> str:
        if self.at >= len(self.pattern):
            raise self.wrong("nothing stands behind the last '\\'")
        letter = self.pattern[self.at]
        if letter == "Q":
            return self._quoted()
        if letter in "123456789":
            return self._reference()
        assertions = {"A": r"\A", "z": r"\Z", "b": r"\b", "B": r"\B"}
        if letter in assertions and not self.ahead("b{"):
            self.at += 1
            if letter in "bB":
                self.plain_only.add("ascii")
            if self._re2 is not None:
                self._re2.append({"z": r"\z"}.get(letter, assertions[letter]))
            return assertions[letter]
        if letter == "Z":
            self.at += 1
            return self._end(lines=False)
        if letter == "R":
            self.at += 1
            return self.only_python(r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])")
        if letter == "k":
            return self._named_reference()
        if letter in "GX" or self.ahead("b{"):
            raise unsupported(self.pattern, f"\\{letter}")
        found, self.at, is_letter = class_escape(self.pattern, self.at, self.flags, self)
        return self.one_of(found, cased=is_letter)

    def _quoted(self) -> str:
        end = self.pattern.find(r"\E", self.at + 1)
        text = self.pattern[self.at + 1 : len(self.pattern) if end < 0 else end]
        self.at = len(self.pattern) if end < 0 else end + 2
        return "".join(self.one_of(sets.of(letter), cased=True) for letter in text) or self.both("(?:)")

    def _reference(self) -> str:
        number = int(self.pattern[self.at])
        self.at += 1
        while self.at < len(self.pattern) and self.pattern[self.at].isdecimal():
            longer = number * 10 + int(self.pattern[self.at])
            if longer > self._groups:
                break
            number = longer
            self.at += 1
        return self._refers(number)

    def _named_reference(self) -> str:
        name = _NAME.match(self.pattern, self.at + 2)
        if self.pattern[self.at + 1 : self.at + 2] != "<" or name is None or name[0] not in self._names:
            raise self.wrong("\\k names no group")
        self.at = name.end() + 1
        return self._refers(self._names[name[0]])

    def _refers(self, number: int) -> str:
        if number > self._groups or number in self._open:
            return self.only_python("(?!)")  # a group that is not there has matched nothing
        mark = "(?iu:" if self.flags.i and self.flags.u else "(?ia:" if self.flags.i else "(?:"
        return self.only_python(f"{mark}\\{number})")


def _python_set(ranges: Ranges) -> str:
    return _set_text(
        ranges, lambda code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def _re2_set(ranges: Ranges) -> str:
    return _set_text(ranges, lambda code: f"\\x{{{code:x}}}")


def _set_text(ranges: Ranges, shown: object) -> str:
    assert callable(shown)

    def one(code: int) -> str:
        letter = chr(code)
        return letter if code < 128 and (letter.isalnum() or letter == "_") else str(shown(code))

    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return one(ranges[0][0])
    rest = sets.inverted(ranges)
    sign, shorter = ("^", rest) if rest and len(rest) < len(ranges) else ("", ranges)
    inside = "".join(one(low) if low == high else f"{one(low)}-{one(high)}" for low, high in shorter)
    return f"[{sign}{inside}]"
