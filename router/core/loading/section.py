"""The keys of one mapping of the file, read by name and by type."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from router.core.errors import suggest
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.yaml_nodes import MappingEntry, MappingNode, Node, ScalarNode, SequenceNode

_STRAY: Mapping[str, Mapping[str, str]] = {
    "rule": dict.fromkeys(
        (
            *("channel", "to", "after", "unless", "expires", "priority", "quiet"),
            *("once_per", "privacy", "collapse", "retract"),
        ),
        "step; write it in an item of send",
    ),
    "step": dict.fromkeys(("throttle", "enrich", "send"), "rule; write it beside send"),
}
"""Keys that stand in the one and belong to the other, and where they go."""

_MAIN = frozenset(
    {"version", "timezone", "apps", "fields", "classify", "defaults", "include", "tests"}
)
"""What stands in the main file alone."""

W = TypeVar("W", bound=str)
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MAX_NAMED_KEYS = 12


class Section:
    """One mapping of the file: `rule`, `step`, `file` and so on, as `what` says.

    Keys that are not known are reported when it is made, wrong values when they are read.
    """

    def __init__(
        self, node: MappingNode, report: Diagnostics, *, what: str, keys: Collection[str]
    ) -> None:
        """Look at the keys."""
        self.node = node
        self._report = report
        self._entries: dict[str, MappingEntry] = {}
        for key, entry in node.entries.items():
            if key in keys:
                self._entries[key] = entry
            else:
                _refuse(entry.key, report, what, keys)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def key(self, key: str) -> ScalarNode:
        """Return the node of a key that is there."""
        return self._entries[key].key

    def value(self, key: str) -> Node:
        """Return what a key that is there stands for."""
        return self._entries[key].value

    def get(self, key: str) -> Node | None:
        """Return what a key stands for; None where it is not there or, which is an error, empty."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if isinstance(entry.value, ScalarNode) and entry.value.value is None:
            self._report.error(entry.key, f'"{key}" is empty', "give it a value or leave it out")
            return None
        return entry.value

    def text(self, key: str) -> str | None:
        """Return a text that is not empty."""
        node = self.get(key)
        if node is None:
            return None
        if isinstance(node, ScalarNode) and node.text.strip():
            return node.text
        self._report.error(node, f'"{key}" must be a text')
        return None

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a truth value, the default where there is none."""
        node = self.get(key)
        if node is None:
            return default
        if isinstance(node, ScalarNode) and isinstance(node.value, bool):
            return node.value
        self._report.error(node, f'"{key}" must be true or false')
        return default

    def word(self, key: str, words: Sequence[W]) -> W | None:
        """Return one of a few words."""
        node = self.get(key)
        if node is None:
            return None
        text = node.text if isinstance(node, ScalarNode) else "…"
        for word in words:
            if word == text:
                return word
        hint = suggest(text, words) or f"known are {', '.join(words)}"
        self._report.error(node, f'unknown value "{text}" for {key}', hint)
        return None

    def duration(self, key: str) -> float | None:
        """Return a duration such as `45s` in seconds."""
        node = self.get(key)
        return None if node is None else read_duration(node, self._report, key)

    def texts(self, key: str) -> list[ScalarNode] | None:
        """Return one text or a list of texts."""
        node = self.get(key)
        return None if node is None else read_texts(node, self._report, key)

    def items(self, key: str) -> tuple[Node, ...]:
        """Return a list; an empty one where there is none."""
        node = self.get(key)
        if node is None or isinstance(node, SequenceNode):
            return node.items if node is not None else ()
        self._report.error(self.key(key), f'"{key}" must be a list', 'start each item with "- "')
        return ()

    def entries(self, key: str) -> Mapping[str, MappingEntry]:
        """Return a mapping; an empty one where there is none."""
        node = self.get(key)
        if node is None or isinstance(node, MappingNode):
            return node.entries if node is not None else {}
        self._report.error(self.key(key), f'"{key}" must be a mapping', "write key: value lines")
        return {}


def read_texts(node: Node, report: Diagnostics, what: str) -> list[ScalarNode]:
    """Return the single values of a list, or of a value that stands for a list of one."""
    nodes = node.items if isinstance(node, SequenceNode) else (node,)
    texts = []
    for item in nodes:
        if isinstance(item, ScalarNode) and item.text:
            texts.append(item)
        else:
            report.error(item, f'"{what}" must be a text or a list of texts')
    return texts


def read_duration(node: Node, report: Diagnostics, what: str) -> float | None:
    """Return a duration such as `45s` in seconds, or report that it is none."""
    text = node.text if isinstance(node, ScalarNode) else ""
    seconds = parse_duration(text)
    if seconds is None:
        shown = f'"{text}"' if text else "this"
        report.error(node, f"{shown} is not a duration for {what}", "write 45s, 10m, 24h or 7d")
    return seconds


def parse_duration(text: str) -> float | None:
    """Return a duration such as `45s` in seconds; None when the text is none."""
    match = _DURATION.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] or None if match else None


def _refuse(key: ScalarNode, report: Diagnostics, what: str, keys: Collection[str]) -> None:
    if place := _STRAY.get(what, {}).get(key.text):
        owner, _, hint = place.partition("; ")
        report.error(key, f'"{key.text}" belongs to a {owner}', hint)
        return
    if what == "included file" and key.text in _MAIN:
        hint = "write it there, or leave it out"
        report.error(key, f'"{key.text}" belongs in the file that includes this one', hint)
        return
    where = "" if what == "file" else f" in {what}"
    hint = suggest(key.text, keys) or name_known(keys)
    report.error(key, f'unknown key "{key.text}"{where}', hint)


def name_known(words: Collection[str]) -> str:
    """Return a hint that names what is known, as far as that is readable."""
    names = sorted(words)
    if not names:
        return "none is defined"
    more = f" and {len(names) - _MAX_NAMED_KEYS} more" if len(names) > _MAX_NAMED_KEYS else ""
    return f"known are {', '.join(names[:_MAX_NAMED_KEYS])}{more}"
