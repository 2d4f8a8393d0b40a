"""A YAML document whose every value knows its place, and the errors of values that don't fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import yaml

from fluxcore.errors import Place, ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Node: TypeAlias = yaml.Node
_QUOTES = ("'", '"')


@dataclass(frozen=True)
class Piece:
    """A text of the document and where it stands; ``node`` is what holds it."""

    text: str
    node: yaml.ScalarNode


class Document:
    """The document's root, and access to values by what they must be."""

    def __init__(self, text: str, file: str | None) -> None:
        """Parse. Raises ``ScriptError`` FX-YAML-0001 for text that is no YAML, or holds nothing."""
        self.file = file
        self.lines = text.split("\n")
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = self._place(mark.line, mark.column) if mark else None
            raise ScriptError(
                "FX-YAML-0001", f"this is no YAML: {error.problem or error.context}", place=place
            ) from error
        except yaml.YAMLError as error:
            raise ScriptError("FX-YAML-0001", f"this is no YAML: {error}", place=Place(file)) from error
        if root is None:
            raise ScriptError("FX-YAML-0001", "the pipeline is empty", place=Place(file))
        self.root: Node = root

    def error(self, node: Node, message: str, *, hint: str | None = None, code: str = "FX-YAML-0002") -> ScriptError:
        """Return the error of a value, at its place."""
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if start.line == end.line else 1
        return ScriptError(code, message, place=self._place(start.line, start.column, length), hint=hint)

    def mapping(self, node: Node, what: str, known: Collection[str] = ()) -> dict[str, Node]:
        """Return a mapping's values by key. Raises FX-YAML-0002 for another value, and for a key twice or not ``known``."""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what} is a mapping of keys to values")
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = self.piece(key, f"a key of {what}").text
            if known and name not in known:
                hint = nearest(name, known) or f"one of {', '.join(known)}"
                raise self.error(key, f"{what} has no key '{name}'", hint=hint)
            if name in found:
                raise self.error(key, f"'{name}' stands twice")
            found[name] = value
        return found

    def piece(self, node: Node, what: str) -> Piece:
        """Return a single value as the text that stands there. Raises FX-YAML-0002 for a mapping, a list or nothing."""
        if not isinstance(node, yaml.ScalarNode) or (node.tag.endswith(":null") and node.style is None):
            raise self.error(node, f"{what} is a single value")
        return Piece(node.value, node)

    def pieces(self, node: Node, what: str) -> list[Piece]:
        """Return the values of a list, or a single one."""
        if not isinstance(node, yaml.SequenceNode):
            return [self.piece(node, what)]
        if not node.value:
            raise self.error(node, f"{what} is an empty list")
        return [self.piece(each, what) for each in node.value]

    def items(self, node: Node) -> Iterator[Node]:
        """Yield the values of a list, or the value itself."""
        yield from node.value if isinstance(node, yaml.SequenceNode) else [node]

    def place(self, piece: Piece, offset: int) -> Place:
        """Return the place of a character of a piece: exactly where lines are not folded, else where the piece begins."""
        start, style = piece.node.start_mark, piece.node.style
        if style == "|":
            before = piece.text[:offset].split("\n")
            line = start.line + len(before)
            wanted = piece.text.split("\n")[len(before) - 1]
            indent = self.lines[line].find(wanted) if line < len(self.lines) else -1
            if indent >= 0:
                return self._place(line, indent + len(before[-1]))
        column = start.column + (style in _QUOTES)
        verbatim = self.lines[start.line][column : column + len(piece.text)] == piece.text
        return self._place(start.line, column + (offset if verbatim else 0))

    def _place(self, line: int, column: int, length: int = 1) -> Place:
        shown = self.lines[line].rstrip("\r") if line < len(self.lines) else ""
        return Place(self.file, line + 1, column + 1, shown, max(1, min(length, len(shown) - column)))
