"""The rules in force and the channels they opened: read, replaced in one piece, kept when bad."""

import asyncio
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import structlog
from msgspec import Struct

from router.channel import Channel
from router.core.errors import Problem
from router.core.loading import Loaded, hash_text, load
from router.core.ruleset import ChannelSchema, ChannelSpec, Ruleset
from router.redaction import lets_in
from router.store.errors import StoreUnavailable
from router.store.rulesets import Rulesets, StoredRules
from router.telemetry import Metrics
from router.zones import read_zones

OpenChannel = Callable[[ChannelSpec], Channel[Any]]

CLOSING = 2.0
"""Seconds that channels may take to close when the router stops."""

_log = structlog.get_logger(__name__)


class RulesText(Struct, frozen=True, kw_only=True):
    """A rules file as read, and what became of it; `text` is empty when it cannot be read."""

    text: str
    loaded: Loaded


def read_rules(path: Path, plugins: Mapping[str, ChannelSchema], *, sandbox: bool) -> RulesText:
    """Return the rules in a file with every problem of it; never raises for a bad file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return RulesText(text="", loaded=_unreadable(path, error.strerror or str(error)))
    except UnicodeDecodeError as error:
        return RulesText(text="", loaded=_unreadable(path, f"no UTF-8 text: {error.reason}"))
    return RulesText(text=text, loaded=load_rules(text, str(path), plugins, sandbox=sandbox))


def _unreadable(path: Path, reason: str) -> Loaded:
    problem = Problem(
        file=str(path),
        line=1,
        column=1,
        message=f"cannot be read: {reason}",
        hint="ROUTER_RULES names the rules file",
    )
    return Loaded(ruleset=None, problems=(problem,))


def load_rules(
    text: str, file: str, plugins: Mapping[str, ChannelSchema], *, sandbox: bool
) -> Loaded:
    """Return what becomes of a rules text, with what it takes from the environment and files."""
    return load(
        text,
        file=file,
        plugins=plugins,
        resolve=_resolve,
        sandbox=sandbox,
        zones=read_zones(),
    )


def _resolve(source: Literal["env", "file"], name: str) -> str | None:
    if source == "env":
        return os.environ.get(name) or None
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        return None


class Rulebook:
    """The ruleset in force, its channels, and what is wrong with the file on disk.

    A bad file never replaces a good one: at start the last good text of the database steps in,
    afterwards what is in force stays.
    """

    def __init__(
        self,
        path: Path,
        *,
        kept: Rulesets,
        metrics: Metrics,
        sandbox: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Have no rules yet; `start` reads them."""
        self._path = path
        self._kept = kept
        self._metrics = metrics
        self._clock = clock
        self._sandbox = sandbox
        self._plugins: Mapping[str, ChannelSchema] = {}
        self._open: OpenChannel = _open_none
        self._changed: Callable[[Collection[str]], None] = lambda _: None
        self._channels: dict[str, tuple[ChannelSpec, Channel[Any]]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self.ruleset: Ruleset | None = None
        self.problems: tuple[Problem, ...] = ()
        self.current = False
        """Whether the rules in force are those of the file on disk."""

    @property
    def channels(self) -> Mapping[str, ChannelSpec]:
        """Return the channels in force by name."""
        return {name: spec for name, (spec, _) in self._channels.items()}

    def channel(self, name: str) -> Channel[Any] | None:
        """Return an open channel, or None when the rules in force have none of that name."""
        entry = self._channels.get(name)
        return entry[1] if entry else None

    @property
    def contact_kinds(self) -> frozenset[str]:
        """Return the kinds of address that some plugin sends to; empty before `start`."""
        return frozenset(schema.address_kind for schema in self._plugins.values())

    def on_change(self, changed: Callable[[Collection[str]], None]) -> None:
        """Call `changed` whenever other rules are in force.

        It gets the names of the channels that were open and have other settings now.
        """
        self._changed = changed

    async def start(self, plugins: Mapping[str, ChannelSchema], open_channel: OpenChannel) -> None:
        """Put the file's rules in force, or the last good ones when the file is bad."""
        self._plugins = plugins
        self._open = open_channel
        await self.reload()
        if self.ruleset is not None:
            return
        last = await self._kept.last()
        if last is None:
            _log.error("no rules in force: payloads are accepted and held")
            return
        if last.version != hash_text(last.text):
            _log.error("the last good rules are kept without their secrets, so they cannot serve")
            return
        name = f"{self._path} (last good)"
        loaded = await asyncio.to_thread(
            load_rules, last.text, name, self._plugins, sandbox=self._sandbox
        )
        if loaded.ruleset is None:
            _log.error("the last good rules no longer load", problem=str(loaded.problems[0]))
            return
        self._put_in_force(loaded.ruleset)
        _log.warning("the last good rules are in force", version=loaded.ruleset.version)

    async def reload(self) -> tuple[Problem, ...]:
        """Read the file again; return its problems. With an error among them nothing changes."""
        async with self._changing:
            read = await asyncio.to_thread(
                read_rules, self._path, self._plugins, sandbox=self._sandbox
            )
            self.problems = read.loaded.problems
            for problem in self.problems:
                log = _log.error if problem.severity == "error" else _log.warning
                log("rules", problem=str(problem))
            ruleset = read.loaded.ruleset
            self.current = ruleset is not None and self._put_in_force(ruleset)
            self._metrics.reloaded(ok=self.current)
            if self.current and ruleset is not None:
                await self._keep(ruleset.version, read)
                _log.info("rules in force", version=ruleset.version, rules=len(ruleset.rules))
            return self.problems

    async def _keep(self, version: str, read: RulesText) -> None:
        """Keep a good text for a restart with a bad file; one with secrets only less those."""
        text = read.text
        if any(map(lets_in, read.loaded.secrets)):
            text = read.loaded.text
            _log.warning(
                "the rules hold secrets, so a restart cannot fall back to them: "
                "write ${env:NAME} or ${file:PATH} in their place"
            )
        rules = StoredRules(
            version=version, text=text, file=str(self._path), loaded_at=self._clock()
        )
        try:
            await self._kept.keep(rules)
        except StoreUnavailable as error:
            _log.warning("the rules are in force, but not kept", error=str(error))

    def _put_in_force(self, ruleset: Ruleset) -> bool:
        opened: dict[str, tuple[ChannelSpec, Channel[Any]]] = {}
        for name, spec in ruleset.channels.items():
            before = self._channels.get(name)
            if before and _same(before[0], spec):
                opened[name] = (spec, before[1])
                continue
            try:
                opened[name] = (spec, self._open(spec))
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                self._refuse(spec, error)
                return False
        leaving = [
            (name, channel)
            for name, (_, channel) in self._channels.items()
            if name not in opened or opened[name][1] is not channel
        ]
        reopened = [
            name
            for name, (_, channel) in opened.items()
            if name in self._channels and self._channels[name][1] is not channel
        ]
        self._channels = opened
        self.ruleset = ruleset
        self._changed(reopened)
        for name, channel in leaving:
            task = asyncio.create_task(_retire(channel), name=f"closing {name}")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        return True

    def _refuse(self, spec: ChannelSpec, error: Exception) -> None:
        problem = Problem(
            file=spec.place.file,
            line=spec.place.line,
            column=spec.place.column,
            message=f'channel "{spec.name}" cannot be opened: {type(error).__name__}',
            hint=f"see the settings of plugin {spec.plugin}",
        )
        _log.error("rules", problem=str(problem))
        self.problems = (*self.problems, problem)

    async def aclose(self) -> None:
        """Close every channel; one that does not close in time is left as it is."""
        for task in self._retiring:
            task.cancel()
        closing = set(self._retiring)
        for name, (_, channel) in self._channels.items():
            closing.add(asyncio.create_task(_close(channel), name=f"closing {name}"))
        self._channels = {}
        if closing:
            _, open_still = await asyncio.wait(closing, timeout=CLOSING)
            for task in open_still:
                _log.error("a channel does not close", task=task.get_name())
                task.cancel()


def _open_none(spec: ChannelSpec) -> Channel[Any]:
    raise LookupError(spec.plugin)


def _same(one: ChannelSpec, other: ChannelSpec) -> bool:
    return one.plugin == other.plugin and bool(one.settings == other.settings)


async def _retire(channel: Channel[Any]) -> None:
    """Close a replaced channel once the sends it had begun must be over."""
    try:
        await asyncio.sleep(channel.settings.timeout + 5)
    finally:
        await _close(channel)


async def _close(channel: Channel[Any]) -> None:
    try:
        await channel.aclose()
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
        _log.warning("a channel did not close", channel=channel.name, error=type(error).__name__)
