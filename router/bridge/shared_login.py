"""Logins of a channel's plugins: one for each credential, made once at a time, and kept.

Apprise logs in anew with every plugin object, and a channel has one for each address. Here the
provider's answer to a login is kept and given to each plugin that logs in with the same
credential. It is dropped when its time is up or when the provider refuses what it gave.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar

import msgspec
from apprise import PersistentStore
from apprise.plugins.base import NotifyBase
from msgspec import Struct, field

from router.channel import Request, Response

RENEWAL_MARGIN_S = 60.0
"""A login is made anew so long before it ends, or by a tenth of its time if that is less."""

SHORTEST_S = 60.0
"""Seconds for which a login is kept at least, whatever time the provider names."""

MAX_RELOGINS = 3
RELOGIN_WINDOW_S = 60.0
"""So many logins of a credential are dropped as refused within that time, and no more: a
recipient whose messages are refused for another reason must not cost a login each."""

LOGGING_IN: ContextVar[bool] = ContextVar("logging_in", default=False)
"""Whether the requests of the current code are part of a login."""

CredentialKey = tuple[type, str]
RequestKey = tuple[str, str]
Clock = Callable[[], float]


class LoginState(Struct):
    """What one plugin has been given; `recent` since its last login began."""

    serial: int = 0
    used_serials: dict[RequestKey, int] = field(default_factory=dict)
    recent_keys: set[RequestKey] = field(default_factory=set)
    is_logged_out: bool = False
    """Whether it meant to log out, so that it logs in again without doubting the login."""


def get_login_state(plugin: NotifyBase) -> LoginState:
    """Return what a plugin has been given, to be changed."""
    state: LoginState = vars(plugin).setdefault("_login_state", LoginState())
    return state


def credential_key(plugin: NotifyBase) -> CredentialKey | None:
    """Return what stands for a plugin's credential; None where Apprise cannot tell."""
    identifier: object = plugin.url_identifier
    return (type(plugin), repr(identifier)) if identifier else None


class _LoginResponse(Struct, frozen=True):
    response: Response
    serial: int
    expires_at: float


class _CredentialLogin(Struct):
    """The login of one credential; `serial` grows whenever it is dropped."""

    serial: int = 0
    responses: dict[RequestKey, _LoginResponse] = field(default_factory=dict)
    pending: dict[RequestKey, asyncio.Task[Response]] = field(default_factory=dict)
    made_at: float = 0.0
    refused_at: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RELOGINS))
    holder: NotifyBase | None = None
    """A plugin that uses it, and so can log out."""


class SharedLogins:
    """The logins of one channel. Its event loop alone asks providers; threads may use the rest."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Have none yet."""
        self._clock = clock
        self._logins: dict[CredentialKey, _CredentialLogin] = {}
        self._response_count = 0
        self.stores: dict[CredentialKey, PersistentStore] = {}
        """What plugins keep for the next time, as Apprise means it: by credential."""

    def now(self) -> float:
        """Return the time by the clock that `refuse` reads."""
        return self._clock()

    def is_current(self, plugin: NotifyBase) -> bool:
        """Return whether a plugin may go on with the login it has, if it has one."""
        login = self._find_login(plugin)
        if login is None:
            return True
        now = self._clock()
        if any(answer.expires_at <= now for answer in login.responses.values()):
            self._invalidate(plugin, login)
        return get_login_state(plugin).serial == login.serial

    def adopt(self, plugin: NotifyBase) -> None:
        """Let a new plugin use the login of its credential."""
        if (login := self._find_login(plugin)) is not None:
            get_login_state(plugin).serial = login.serial

    async def fetch(
        self,
        plugin: NotifyBase,
        request: Request,
        send: Callable[[], Awaitable[Response]],
        *,
        seconds: float,
    ) -> tuple[Response, bool]:
        """Return the answer to a request of a login, and whether it is a kept one.

        A plugin that asks again for what it was given no longer trusts it: it is asked for anew.
        Raises what `send` raises, for all who wait for the same answer, and `TimeoutError` when
        none comes within `seconds`.
        """
        login = self._find_login(plugin)
        if login is None:
            return await send(), False
        place, state = (request.method, request.url), get_login_state(plugin)
        state.recent_keys.add(place)
        kept = login.responses.get(place)
        if kept is not None and self._clock() < kept.expires_at:
            if state.is_logged_out or state.used_serials.get(place) != kept.serial:
                state.used_serials[place] = kept.serial
                return kept.response, True
            del login.responses[place]
        task = login.pending.get(place)
        if task is None:
            task = asyncio.create_task(self._fetch(login, place, send))
            task.add_done_callback(_retrieve_exception)
            login.pending[place] = task
        done, _ = await asyncio.wait({task}, timeout=max(0.0, seconds))
        if not done:
            raise TimeoutError
        try:
            response = task.result()
        finally:
            del task, done  # they hold the error, which holds this frame
        if (answer := login.responses.get(place)) is not None:
            state.used_serials[place] = answer.serial
        return response, False

    async def _fetch(
        self, login: _CredentialLogin, place: RequestKey, send: Callable[[], Awaitable[Response]]
    ) -> Response:
        try:
            response = await send()
        finally:
            del login.pending[place]
        if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            now = self._clock()
            self._response_count += 1
            lifetime = _read_lifetime(response)
            answer = _LoginResponse(response, self._response_count, now + lifetime)
            login.responses[place], login.made_at = answer, now
        return response

    def record_result(self, plugin: NotifyBase, *, good: bool) -> None:
        """Keep what a plugin has just logged in with, or forget it where that was no login."""
        login, state = self._find_login(plugin), get_login_state(plugin)
        if login is None:
            return
        state.is_logged_out = False
        if good:
            login.holder = plugin
            return
        for place in state.recent_keys:
            answer = login.responses.get(place)
            if answer is not None and answer.serial == state.used_serials.get(place):
                login.responses.pop(place, None)

    def invalidate(self, plugin: NotifyBase, *, since: float) -> bool:
        """Drop the login that a provider has refused; return whether to try with a new one.

        One that was made after `since`, by the clock, is not tried again.
        """
        login = self._find_login(plugin)
        if login is None:
            return False
        if get_login_state(plugin).serial != login.serial:
            return True
        now = self._clock()
        if not login.responses or login.made_at >= since:
            return False
        past = login.refused_at
        if len(past) == past.maxlen and now - past[0] < RELOGIN_WINDOW_S:
            return False
        past.append(now)
        self._invalidate(plugin, login)
        return True

    def close(self) -> Iterator[NotifyBase]:
        """Yield a plugin for each login that is still held, and forget them all."""
        logins, self._logins = list(self._logins.values()), {}
        for login in logins:
            for task in login.pending.values():
                task.cancel()
            if login.holder is not None and login.responses:
                yield login.holder

    def _invalidate(self, plugin: NotifyBase, login: _CredentialLogin) -> None:
        login.serial += 1
        login.responses.clear()
        login.holder = None
        identity = credential_key(plugin)
        if identity in self.stores:
            self.stores[identity].clear("access_token")

    def _find_login(self, plugin: NotifyBase) -> _CredentialLogin | None:
        identity = credential_key(plugin)
        return None if identity is None else self._logins.setdefault(identity, _CredentialLogin())


def _retrieve_exception(task: asyncio.Task[Response]) -> None:
    """Take note of how it ended: all who waited may have been cancelled."""
    if not task.cancelled():
        task.exception()


def _read_lifetime(response: Response) -> float:
    """Return the seconds that a login may be used; without `expires_in` (RFC 6749, 5.1) no end."""
    try:
        body = msgspec.json.decode(response.body)
        seconds = float(body["expires_in"])
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return float("inf")
    if not seconds > 0:
        return float("inf")
    return max(SHORTEST_S, seconds - min(RENEWAL_MARGIN_S, seconds / 10))
