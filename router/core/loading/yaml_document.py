"""YAML text as nodes that know their place.

YAML 1.2 core, with less that can surprise: `22:00`, `007` and dates are texts, bare
yes/no/on/off, tags, merge keys, repeated keys and second documents are errors, and what
aliases can blow up is bounded. Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re
from typing import NoReturn, TypeGuard, cast

import yaml

from router.core.errors import Place, Problem
from router.core.loading.yaml_nodes import (
    MappingEntry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    resolve_scalar,
)

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 50
MAX_ALIASED = 10_000
"""How many nodes all aliases of a text may stand for together."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_AMBIGUOUS = frozenset({"yes", "no", "on", "off", "y", "n"})
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTE_TEMPLATE = 'put a template in quotes: "{{ … }}"'
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class _UnreadableDocument(Exception):  # noqa: N818 - it ends the reading, its problem is in the list
    """The text cannot be read further."""


def read_document(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Return the one document of a text, and what is wrong with it.

    The node is None when the text cannot be read to its end; the problems then say where.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the file is longer than {MAX_CHARACTERS} characters"
        return None, [Problem(file=file, line=1, column=1, message=message)]
    lines = split_lines(text)
    if problems := _find_unprintable(lines, file):
        return None, problems
    composer = _NodeComposer("\n".join(lines), file)
    try:
        return composer.read_root(), composer.problems
    except _UnreadableDocument:
        return None, composer.problems
    except yaml.MarkedYAMLError as error:
        return None, [*composer.problems, _explain_error(error, lines, file)]


def split_lines(text: str) -> list[str]:
    """Return the lines of a text as places count them."""
    return _BREAK.split(text.removeprefix("\ufeff"))


def _find_unprintable(lines: list[str], file: str) -> list[Problem]:
    return [
        Problem(
            file=file,
            line=number,
            column=match.start() + 1,
            message=f"the character U+{ord(match[0]):04X} cannot stand in the file",
            hint="remove it",
        )
        for number, line in enumerate(lines, 1)
        if (match := _UNPRINTABLE.search(line))
    ]


def _explain_error(error: yaml.MarkedYAMLError, lines: list[str], file: str) -> Problem:
    """Return a syntax error with what usually causes it."""
    mark = cast(yaml.Mark, error.problem_mark)
    reason = str(error.problem)
    at_end = not "".join(lines[mark.line :]).strip()
    if error.context_mark is not None and (at_end or "end of stream" in reason):
        mark = error.context_mark
    number = min(mark.line, len(lines) - 1)
    line = lines[number]
    column = mark.column if number == mark.line else len(line)
    rest = line[column:]
    if "{{" in line:
        hint = _QUOTE_TEMPLATE
    elif "mapping values" in reason:
        hint = 'a text with ": " in it needs quotes'
    elif rest[:1] in {"@", "`", "%"}:
        hint = f'a text that starts with "{rest[0]}" needs quotes'
    elif "alphabetic or numeric" in reason:
        hint = 'a text that starts with "*" or "&" needs quotes'
    elif "\t" in line:
        hint = "indent with spaces, not with tabs"
    else:
        hint = "see how the lines around it are indented"
    return Problem(
        file=file,
        line=number + 1,
        column=column + 1,
        message=f"this is not YAML: {reason}",
        hint=hint,
    )


class _NodeComposer:
    """Builds nodes from the parser's events."""

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._text = text
        self._events = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: set[str] = set()
        self._nodes = 0
        self._aliased = 0

    def read_root(self) -> Node | None:
        """Return the first document, None when there is none; a second one is a problem."""
        root: Node | None = None
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if root is not None:
                self._stop(event, "a second document starts here", "one file holds one document")
            root = self._compose(next(self._events), 0)
        return root

    def _compose(self, event: yaml.Event, depth: int) -> Node:
        """Return the node that starts here; aliases give the very node they name."""
        if depth > MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._expand(event)
        event = cast(yaml.ScalarEvent | yaml.CollectionStartEvent, event)
        if event.tag is not None:
            self._complain(event, "tags are not taken", "leave the tag out")
        before = self._nodes
        self._nodes += 1
        if event.anchor is None:
            return self._build(event, depth)
        self._open.add(event.anchor)
        node = self._build(event, depth)
        self._open.discard(event.anchor)
        self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _build(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _expand(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor
        if name in self._open:
            self._stop(event, f"the alias *{name} stands inside what it names")
        if name not in self._anchors:
            hint = 'a text that starts with "*" needs quotes'
            self._stop(event, f"no anchor &{name} stands above", hint)
        node, size = self._anchors[name]
        self._nodes += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            self._stop(event, f"the aliases stand for more than {MAX_ALIASED} values")
        return node

    def _sequence(self, event: yaml.Event, depth: int) -> SequenceNode:
        items = []
        while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
            items.append(self._compose(inner, depth + 1))
        return SequenceNode(self._place(event), tuple(items))

    def _mapping(self, event: yaml.Event, depth: int) -> Node:
        entries: dict[str, MappingEntry] = {}
        is_template = False
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key = self._compose(inner, depth + 1)
            value = self._compose(next(self._events), depth + 1)
            if self._text.startswith("{{", _start(inner).index - 1):
                is_template = True
                self._complain(event, "a bare {{ starts a mapping", _QUOTE_TEMPLATE)
            elif self._accepts(key, inner, entries):
                entries[key.text] = MappingEntry(key, value)
        if is_template:
            return ScalarNode(self._place(event), 1, "", "")
        return MappingNode(self._place(event), entries)

    def _accepts(
        self, key: Node, event: yaml.Event, entries: dict[str, MappingEntry]
    ) -> TypeGuard[ScalarNode]:
        if not isinstance(key, ScalarNode):
            self._complain(event, "a key must be a text", "give the list or mapping a key")
        elif key.text == "<<" and key.inside is not None and key.inside == key.place:
            self._complain(event, "merge keys (<<) are not taken", "write the keys out")
        elif not isinstance(key.value, str):
            self._complain(event, f"the key {key.text or 'null'} is not a text", "put it in quotes")
        elif key.text in entries:
            first = entries[key.text].key.place.line
            self._complain(event, f'the key "{key.text}" stands twice', f"first in line {first}")
        else:
            return True
        return False

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        text = event.value
        start, end = _start(event), _end(event)
        place = Place(self._file, start.line + 1, start.column + 1)
        lines = end.line - start.line + 1
        length = end.column - start.column if lines == 1 else 1
        if not event.implicit[0]:
            whole = event.style in {"'", '"'} and len(text) + 2 == length
            inside = Place(self._file, place.line, place.column + 1) if whole else None
            return ScalarNode(place, length, text, text, inside, lines)
        if text.lower() in _AMBIGUOUS:
            message = f"a bare {text} is read differently by different tools"
            self._complain(event, message, "write true or false, or put it in quotes")
        inside = place if len(text) == length else None
        return ScalarNode(place, max(1, length), text, resolve_scalar(text), inside, lines)

    def _place(self, event: yaml.Event) -> Place:
        mark = _start(event)
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _complain(self, event: yaml.Event, message: str, hint: str) -> None:
        place = self._place(event)
        start, end = _start(event), _end(event)
        self.problems.append(
            Problem(
                file=place.file,
                line=place.line,
                column=place.column,
                message=message,
                hint=hint,
                length=max(1, end.column - start.column) if start.line == end.line else 1,
            )
        )

    def _stop(self, event: yaml.Event, message: str, hint: str = "") -> NoReturn:
        self._complain(event, message, hint)
        raise _UnreadableDocument


def _start(event: yaml.Event) -> yaml.Mark:
    """Return where an event starts; the parser marks each of them."""
    return cast(yaml.Mark, event.start_mark)


def _end(event: yaml.Event) -> yaml.Mark:
    """Return where an event ends."""
    return cast(yaml.Mark, event.end_mark)
