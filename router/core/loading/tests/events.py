"""`events` of a test: payloads that come over time, and their being read."""

from collections import Counter
from collections.abc import Collection
from typing import Protocol

import msgspec

from router.core.conditions.fields import ROOTS, find_field, suggest_field
from router.core.errors import PayloadError, suggest
from router.core.loading.diagnostics import Diagnostics
from router.core.loading.section import Section, name_known
from router.core.loading.yaml_nodes import MappingNode, Node, ScalarNode
from router.core.model.byte_order_mark import skip_byte_order_mark
from router.core.model.notification import derive
from router.core.model.payload import Json, decode
from router.core.simulate.test_case import TestEvent

MAX_EVENTS = 1000
"""How often one payload of a test may come."""

_EVENT = ("sample", "payload", "with", "after", "times", "every", "for", "read")
_SESSION = "test"


class PayloadSources(Protocol):
    """Where the payloads of a test come from."""

    @property
    def samples(self) -> Collection[str]:
        """The names of the samples."""

    def sample(self, name: str, now: float, story: str) -> dict[str, Json]:
        """Return a sample as if it had been sent at a time, in a story."""

    def payload(self, path: str) -> bytes | None:
        """Return what is in a file beside the test file; None where there is none."""


def read_events(
    section: Section, at: float, report: Diagnostics, sources: PayloadSources
) -> tuple[TestEvent, ...]:
    """Return the events of a test that begins `at`, in order."""
    reader = _EventReader(at, report, sources)
    for node in section.items("events"):
        if isinstance(node, MappingNode):
            reader.read(Section(node, report, what="event", keys=_EVENT))
        else:
            report.error(node, "an event must be a mapping", "write {sample: NAME}")
    return tuple(reader.events)


class _EventReader:
    """Reads events one after the other; `after` counts from the one before."""

    def __init__(self, at: float, report: Diagnostics, sources: PayloadSources) -> None:
        self.events: list[TestEvent] = []
        self._now = at
        self._report = report
        self._sources = sources
        self._used: Counter[str] = Counter()

    def read(self, section: Section) -> None:
        """Add what one item says."""
        self._now += section.duration("after") or 0.0
        ways = [key for key in ("sample", "payload", "read") if key in section]
        if len(ways) != 1:
            hint = "write one of sample, payload and read"
            self._report.error(section.node, "an event is one thing that happens", hint)
        elif "read" in section:
            self._add_read_receipt(section)
        else:
            self._repeat(section, ways[0])

    def _add_read_receipt(self, section: Section) -> None:
        if not self.events:
            hint = "let a payload come before it"
            self._report.error(section.key("read"), "nothing is there to be read yet", hint)
        elif section.flag("read"):
            event = TestEvent(at=self._now, notification=self.events[-1].notification, is_read=True)
            self.events.append(event)

    def _repeat(self, section: Section, path: str) -> None:
        times, every = self._times(section), section.duration("every") or 0.0
        recipients = [node.text for node in section.texts("for") or ()] or [""]
        for number in range(times):
            self._now += every if number else 0.0
            body = self._body(section, path)
            if body is None:
                return
            for uid in recipients:
                if uid:
                    _inner(_inner(body, "data"), "to")["uid"] = uid
                self._add(body, section.node.entries[path].value)

    def _add(self, body: dict[str, Json], node: Node) -> None:
        """Add the coming of a payload, unless it is none."""
        try:
            payload = decode(msgspec.json.encode(body))
        except PayloadError as error:
            self._report.error(node, f"{error.path} {error.reason}")
            return
        id_ = f"event-{len(self.events):04}"
        notification = derive(payload, id=id_, accepted_at=self._now)
        self.events.append(TestEvent(at=self._now, notification=notification))

    def _times(self, section: Section) -> int:
        node = section.get("times")
        if node is None:
            return 1
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_EVENTS:
            return value
        self._report.error(node, f'"times" must be a whole number from 1 to {MAX_EVENTS}')
        return 1

    def _body(self, section: Section, path: str) -> dict[str, Json] | None:
        name = section.text(path)
        if name is None:
            return None
        node = section.node.entries[path].value
        body = self._read_file(name, node) if path == "payload" else self._sample(name, node)
        if body is not None:
            self._apply_overrides(body, section.get("with"))
        return body

    def _sample(self, name: str, node: Node) -> dict[str, Json] | None:
        if name not in self._sources.samples:
            hint = suggest(name, self._sources.samples) or name_known(self._sources.samples)
            self._report.error(node, f'unknown sample "{name}"', hint)
            return None
        again = self._used[name]
        self._used[name] += 1
        body = self._sources.sample(name, self._now, f"test {again}" if again else "test")
        details = _details(body)
        if "sessionId" in details:
            details["sessionId"] = _SESSION
        return body

    def _read_file(self, path: str, node: Node) -> dict[str, Json] | None:
        content = self._sources.payload(path)
        if content is None:
            self._report.error(node, f'there is no file "{path}"', "paths are from the test file")
            return None
        try:
            body: dict[str, Json] = msgspec.json.decode(skip_byte_order_mark(content), type=dict)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._report.error(node, f"{path} is not JSON: {error}")
            return None
        _details(body).setdefault("sentAt", str(round(self._now * 1000)))
        return body

    def _apply_overrides(self, body: dict[str, Json], node: Node | None) -> None:
        """Set fields of a payload as a test has them, by the names that rules use."""
        if node is None:
            return
        if not isinstance(node, MappingNode):
            self._report.error(node, '"with" must be a mapping', "write with: {field: value}")
            return
        for name, entry in node.entries.items():
            if name not in ROOTS and find_field(name) is None:
                hint = suggest_field(name) or "fields are named as in the payload"
                self._report.error(entry.key, f'unknown field "{name}"', hint)
            value = plain(entry.value)
            match name.split("."):
                case ["uid"]:
                    _inner(_inner(body, "data"), "to")["uid"] = value
                case ["appId" | "region"]:
                    body[name] = value
                case ["to" | "messages" | "senderDetails" | "groupDetails" as root, *keys]:
                    _put(_inner(body, "data"), [root, *keys], value)
                case ["subject" | "smsContent"]:
                    _inner(body, "data")[name] = value
                case keys:
                    _put(_details(body), keys, value)


def plain(node: Node) -> Json:
    """Return the JSON value that a node says."""
    match node:
        case ScalarNode():
            return node.value
        case MappingNode(entries=entries):
            return {key: plain(entry.value) for key, entry in entries.items()}
        case _:
            return [plain(item) for item in node.items]


def _details(body: dict[str, Json]) -> dict[str, Json]:
    data = _inner(body, "data")
    return _inner(data, "notificationDetails") if "notificationDetails" in data else {}


def _inner(value: dict[str, Json], key: str) -> dict[str, Json]:
    """Return the mapping under a key, made where there is none."""
    inner = value.get(key)
    if not isinstance(inner, dict):
        inner = value[key] = {}
    return inner


def _put(value: dict[str, Json], keys: Collection[str], new: Json) -> None:
    *path, last = keys
    for key in path:
        value = _inner(value, key)
    value[last] = new
