"""The rules in force and the channels they opened: read, replaced in one piece, kept when bad."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from msgspec import structs

from router.channel import Channel
from router.core.errors import Problem
from router.core.loading import LAST_GOOD_SUFFIX, Included, hash_texts
from router.core.rules.ruleset import ChannelSchema, ChannelSpec, Ruleset
from router.rulebook.channels import (
    CLOSE_TIMEOUT_S,
    OpenChannel,
    Opened,
    close,
    close_after_drain,
    closed_channels,
    open_channels,
)
from router.rulebook.files import RulesText, Stamp, load_stored, read_rules, stat_files, to_stored
from router.store.errors import StoreUnavailable
from router.store.log.rulesets import Rulesets
from router.telemetry import Metrics

POLL_INTERVAL_S = 1.0
"""Seconds between two looks at the files; one is read when two looks found it the same."""

_log = structlog.get_logger(__name__)


class ActiveRules:
    """The ruleset in force, its channels, and what is wrong with the files on disk.

    A bad file never replaces a good one: at start the last good text of the database steps in,
    afterwards what is in force stays. A bad included file is refused alone.
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
        self._channels: Opened = {}
        self._closing: dict[asyncio.Task[None], str] = {}
        self._stopping = asyncio.Event()
        self._changing = asyncio.Lock()
        self.ruleset: Ruleset | None = None
        self.problems: tuple[Problem, ...] = ()
        self.included: tuple[Included, ...] = ()
        """The included files and what holds of each."""
        self.current = False
        """Whether the rules in force are those of the files on disk."""
        self._stamps: Mapping[str, Stamp] = {}
        self._patterns: tuple[str, ...] = ()

    @property
    def channels(self) -> Mapping[str, ChannelSpec]:
        """Return the channels in force by name."""
        return {name: spec for name, (spec, _) in self._channels.items()}

    def channel(self, name: str) -> Channel[Any] | None:
        """Return an open channel, or None when the rules in force have none of that name."""
        entry = self._channels.get(name)
        return entry[1] if entry else None

    def country_of(self, app_id: str) -> str:
        """Return where addresses of an app's recipients are read; empty where that is not known."""
        return "" if self.ruleset is None else self.ruleset.country_of(app_id)

    def cap_of(self, app_id: str) -> int:
        """Return the most sends of an app on one day; 0 without a cap."""
        app = None if self.ruleset is None else self.ruleset.apps.get(app_id)
        return 0 if app is None else app.cap

    @property
    def schemas(self) -> Collection[ChannelSchema]:
        """Return what the plugins say of their channels; empty before `start`."""
        return self._plugins.values()

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
            _log.error("no rules in force")
            return
        if last.version != hash_texts(last.text, *(file.text for file in last.included)):
            _log.error("last good rules unusable", reason="they were stored without their secrets")
            return
        last = structs.replace(last, file=str(self._path))
        loaded = await asyncio.to_thread(
            load_stored, last, LAST_GOOD_SUFFIX, self._plugins, sandbox=self._sandbox
        )
        if loaded.ruleset is None:
            _log.error("last good rules unusable", reason=str(loaded.problems[0]))
            return
        specs = loaded.ruleset.channels.values()
        opened = await open_channels(specs, self._channels, self._open, self._close)
        if isinstance(opened, Problem):
            _log.error("last good rules unusable", reason=str(opened))
            return
        self._put_in_force(loaded.ruleset, opened)
        self.included = tuple(map(_as_last_good, loaded.included))
        self._report_files()
        _log.warning("last good rules in force", version=loaded.ruleset.version)

    async def reload(self) -> tuple[Problem, ...]:
        """Read the files again; return their problems. An error in the main file changes nothing.

        A bad included file leaves in force what it said before, and the others as they are now.
        """
        async with self._changing:
            read, faults, opened = await self._read()
            self._stamps, self._patterns = read.stamps, read.patterns
            self.problems = (*read.loaded.problems, *faults)
            ruleset = read.loaded.ruleset
            if ruleset is None or opened is None:
                self.current = False
                await _log_problems(self.problems)
                errors = sum(problem.severity == "error" for problem in self.problems)
                _log.error("rules rejected", file=str(self._path), count=errors)
            else:
                is_first = self.ruleset is None
                self._put_in_force(ruleset, opened)
                self.included, self.current = read.loaded.included, read.loaded.is_whole
                await _log_problems(self.problems)
                await self._keep(ruleset.version, read)
                if is_first:
                    _log.info("rules loaded", version=ruleset.version, count=len(ruleset.rules))
                else:
                    _log.info("rules reloaded", version=ruleset.version, count=len(ruleset.rules))
            self._report_files()
            return self.problems

    async def _read(self) -> tuple[RulesText, Sequence[Problem], Opened | None]:
        """Return the files as read, what is wrong besides, and the channels opened for them.

        An included file with a channel that cannot be opened is a bad one, too.
        """
        kept = await self._read_last_good_texts()
        refused: dict[str, Problem] = {}
        while True:
            read = await asyncio.to_thread(
                read_rules,
                self._path,
                self._plugins,
                sandbox=self._sandbox,
                kept=kept,
                refused=refused,
            )
            lost = self._find_lost(read.loaded.included)
            if lost or read.loaded.ruleset is None:
                return read, lost, None
            specs = read.loaded.ruleset.channels.values()
            opened = await open_channels(specs, self._channels, self._open, self._close)
            if not isinstance(opened, Problem):
                return read, (), opened
            if opened.file in refused or opened.file not in {
                file.file for file in read.loaded.included
            }:
                return read, (opened,), None
            refused[opened.file] = opened

    async def follow(self, pause: float = POLL_INTERVAL_S) -> None:
        """Reload whenever the files have changed and stay as they are from one look to the next."""
        before = self._stamps
        while True:
            await asyncio.sleep(pause)
            now = await asyncio.to_thread(stat_files, self._path, self._patterns)
            if now != self._stamps and now == before:
                _log.info("rules files changed")
                await self.reload()
            before = now

    async def _read_last_good_texts(self) -> Mapping[str, str]:
        """Return the last good texts of included files by file."""
        if self.ruleset is not None:
            return {file.file: file.text for file in self.included if file.text}
        try:
            last = await self._kept.last()
        except StoreUnavailable as error:
            _log.warning("last good rules not read", error=str(error))
            last = None
        files = last.included if last is not None else ()
        return {file.file: file.text for file in files if file.version == hash_texts(file.text)}

    def _find_lost(self, included: Collection[Included]) -> list[Problem]:
        """Return an error for each file in force of which not even the last good text goes."""
        held = {file.file for file in self.included if file.text}
        return [
            Problem(
                file=file.file,
                line=1,
                column=1,
                message="neither this file nor its last good text goes with the others",
                hint="mend it, or take it out of include; until then all stays as it was",
            )
            for file in included
            if file.standing == "left out" and file.file in held
        ]

    def _report_files(self) -> None:
        """Show in log and metrics which files are in force as they are on disk."""
        bad = {problem.file for problem in self.problems if problem.severity == "error"}
        files = {f.file: f.standing == "current" and f.file not in bad for f in self.included}
        self._metrics.record_reload(ok=self.current, files=files)
        for file in self.included:
            if file.standing != "current":
                _log.error(
                    "included file rejected",
                    file=file.file,
                    owner=file.owner,
                    standing=file.standing,
                )

    async def _keep(self, version: str, read: RulesText) -> None:
        """Keep good texts for a restart with a bad file."""
        rules, secretive = to_stored(read, version, str(self._path), self._clock())
        if secretive:
            _log.warning("rules contain literal secrets", files=secretive)
        try:
            await self._kept.keep(rules)
        except StoreUnavailable as error:
            _log.warning("last good rules not stored", error=str(error))

    def _put_in_force(self, ruleset: Ruleset, opened: Opened) -> None:
        leaving = closed_channels(self._channels, opened)
        self._channels = opened
        self.ruleset = ruleset
        self._changed([name for name, _ in leaving if name in opened])
        for name, channel in leaving:
            self._close_in_background(name, close_after_drain(channel, self._stopping))

    def _close(self, name: str, channel: Channel[Any]) -> None:
        self._close_in_background(name, close(channel))

    def _close_in_background(self, name: str, closing: Coroutine[Any, Any, None]) -> None:
        """Let a channel close beside everything else: its provider may be slow."""
        task = asyncio.create_task(closing, name=f"closing {name}")
        self._closing[task] = name
        task.add_done_callback(self._closing.pop)

    async def aclose(self) -> None:
        """Close every channel; one that does not close in time is left as it is."""
        self._stopping.set()
        for name, (_, channel) in self._channels.items():
            self._close(name, channel)
        self._channels = {}
        if self._closing:
            _, pending = await asyncio.wait(self._closing, timeout=CLOSE_TIMEOUT_S)
            for task in pending:
                _log.error("channel close timed out", channel=self._closing[task])
                task.cancel()


async def _log_problems(problems: Iterable[Problem]) -> None:
    """Log each problem in a turn of the event loop: there may be hundreds."""
    for problem in problems:
        place = f"{problem.file}:{problem.line}:{problem.column}"
        if problem.severity == "error":
            _log.error("rules error", place=place, reason=problem.message, hint=problem.hint)
        else:
            _log.warning("rules warning", place=place, reason=problem.message, hint=problem.hint)
        await asyncio.sleep(0)


def _as_last_good(file: Included) -> Included:
    if file.standing == "left out":
        return structs.replace(file, file=file.file.removesuffix(LAST_GOOD_SUFFIX))
    return structs.replace(
        file, file=file.file.removesuffix(LAST_GOOD_SUFFIX), standing="last good"
    )


def _open_none(spec: ChannelSpec) -> Channel[Any]:
    raise LookupError(spec.plugin)
