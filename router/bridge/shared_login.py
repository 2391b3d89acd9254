"""Logins of a channel's plugins, shared by credential.

Apprise logs in again with every plugin object, and a channel has an object for each address. Here
the provider's answer to a login is kept, and each plugin with the same credential gets it. The
answer is dropped when it expires or when the provider refuses its token.
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
"""Time before its expiry at which a login is renewed, or a tenth of its lifetime if less."""

SHORTEST_S = 60.0
"""Least time for which a login is kept, whatever lifetime the provider names."""

MAX_RELOGINS = 3
RELOGIN_WINDOW_S = 60.0
"""At most `MAX_RELOGINS` logins of a credential are dropped as refused in this time.

Without the limit, each message to a recipient that is refused for another reason costs a login.
"""

LOGGING_IN: ContextVar[bool] = ContextVar("logging_in", default=False)
"""Whether the requests of the current code are part of a login."""

CredentialKey = tuple[type, str]
RequestKey = tuple[str, str]
Clock = Callable[[], float]


class LoginState(Struct):
    """The shared login as one plugin uses it.

    `serial` is that of the credential's login, `used_serials` those of the answers that the plugin
    got, and `recent_keys` the requests since its last login began.
    """

    serial: int = 0
    used_serials: dict[RequestKey, int] = field(default_factory=dict)
    recent_keys: set[RequestKey] = field(default_factory=set)
    is_logged_out: bool = False
    """Whether the plugin has called its logout, and so logs in again without a refusal."""


def get_login_state(plugin: NotifyBase) -> LoginState:
    """Return the login state of a plugin, to be changed in place."""
    state: LoginState = vars(plugin).setdefault("_login_state", LoginState())
    return state


def credential_key(plugin: NotifyBase) -> CredentialKey | None:
    """Return the key of a plugin's credential; None where Apprise names no credential."""
    identifier: object = plugin.url_identifier
    return (type(plugin), repr(identifier)) if identifier else None


class _LoginResponse(Struct, frozen=True):
    response: Response
    serial: int
    expires_at: float


class _CredentialLogin(Struct):
    """The login of one credential; `serial` grows whenever the login is dropped."""

    serial: int = 0
    responses: dict[RequestKey, _LoginResponse] = field(default_factory=dict)
    pending: dict[RequestKey, asyncio.Task[Response]] = field(default_factory=dict)
    made_at: float = 0.0
    refused_at: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RELOGINS))
    holder: NotifyBase | None = None
    """A plugin that uses the login, and so can log out."""


class SharedLogins:
    """The logins of one channel; `fetch` runs on its event loop alone, the rest in threads, too."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._logins: dict[CredentialKey, _CredentialLogin] = {}
        self._response_count = 0
        self.stores: dict[CredentialKey, PersistentStore] = {}
        """The stores in which Apprise's plugins keep tokens, by credential."""

    def now(self) -> float:
        """Return the time by the clock that `invalidate` reads, in seconds."""
        return self._clock()

    def is_current(self, plugin: NotifyBase) -> bool:
        """Return whether a plugin's login is still the one of its credential."""
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

        A plugin that repeats a request no longer trusts the kept answer, so the request goes out
        again. Raises the error of `send` for all callers that wait for the same answer, and
        `TimeoutError` where none comes within `seconds`.
        """
        login = self._find_login(plugin)
        if login is None:
            return await send(), False
        request_key, state = (request.method, request.url), get_login_state(plugin)
        state.recent_keys.add(request_key)
        kept_answer = login.responses.get(request_key)
        if kept_answer is not None and self._clock() < kept_answer.expires_at:
            if state.is_logged_out or state.used_serials.get(request_key) != kept_answer.serial:
                state.used_serials[request_key] = kept_answer.serial
                return kept_answer.response, True
            del login.responses[request_key]
        task = login.pending.get(request_key)
        if task is None:
            # A task of its own: the first caller may be cancelled while others wait for the answer.
            task = asyncio.create_task(self._fetch(login, request_key, send))
            task.add_done_callback(_retrieve_exception)
            login.pending[request_key] = task
        # `wait` cancels nothing after a timeout, so the task goes on for callers with more time.
        done, _ = await asyncio.wait({task}, timeout=max(0.0, seconds))
        if not done:
            raise TimeoutError
        try:
            response = task.result()
        finally:
            del task, done  # they hold the error, which holds this frame
        if (answer := login.responses.get(request_key)) is not None:
            state.used_serials[request_key] = answer.serial
        return response, False

    async def _fetch(
        self,
        login: _CredentialLogin,
        request_key: RequestKey,
        send: Callable[[], Awaitable[Response]],
    ) -> Response:
        try:
            response = await send()
        finally:
            del login.pending[request_key]
        if 200 <= response.status < 300:  # noqa: PLR2004 - HTTP's own numbers
            now = self._clock()
            self._response_count += 1
            lifetime = _read_lifetime(response)
            answer = _LoginResponse(response, self._response_count, now + lifetime)
            login.responses[request_key], login.made_at = answer, now
        return response

    def record_result(self, plugin: NotifyBase, *, is_success: bool) -> None:
        """Keep the answers that a plugin has just logged in with, or drop them after a failure."""
        login, state = self._find_login(plugin), get_login_state(plugin)
        if login is None:
            return
        state.is_logged_out = False
        if is_success:
            login.holder = plugin
            return
        for request_key in state.recent_keys:
            answer = login.responses.get(request_key)
            if answer is not None and answer.serial == state.used_serials.get(request_key):
                login.responses.pop(request_key, None)

    def invalidate(self, plugin: NotifyBase, *, since: float) -> bool:
        """Drop the login that a provider has refused; return whether to try with a new one.

        A login that was made after `since`, by the clock, is not dropped: it is new already.
        """
        login = self._find_login(plugin)
        if login is None:
            return False
        if get_login_state(plugin).serial != login.serial:
            # Another send has dropped this login before, and its successor must stay.
            return True
        now = self._clock()
        if not login.responses or login.made_at >= since:
            return False
        refused_at = login.refused_at
        if len(refused_at) == refused_at.maxlen and now - refused_at[0] < RELOGIN_WINDOW_S:
            return False
        refused_at.append(now)
        self._invalidate(plugin, login)
        return True

    def close(self) -> Iterator[NotifyBase]:
        """Yield a plugin for each login that is still in use, and forget all logins."""
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
    """Mark a task's error as retrieved: every caller that waited may have been cancelled."""
    if not task.cancelled():
        task.exception()


def _read_lifetime(response: Response) -> float:
    """Return the lifetime of a login in seconds; infinite without `expires_in` (RFC 6749, 5.1)."""
    try:
        body = msgspec.json.decode(response.body)
        seconds = float(body["expires_in"])
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return float("inf")
    if not seconds > 0:
        return float("inf")
    return max(SHORTEST_S, seconds - min(RENEWAL_MARGIN_S, seconds / 10))
