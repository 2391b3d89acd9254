"""Changes to Apprise's plugin classes that keep every request inside a send of its channel.

A destructor is removed from its class: the garbage collector would run it on any thread, in the
middle of any other code. A method that logs in shares its login with the other plugins of the
channel. A method that logs out does so only when the channel closes.
"""

from collections.abc import Callable
from functools import cache, wraps
from types import FunctionType
from typing import Any

from apprise.plugins.base import NotifyBase

from router.bridge.send_context import SEND_CONTEXT
from router.bridge.shared_login import LOGGING_IN, SharedLogins, get_login_state

LOGIN_METHODS = frozenset(
    {"_get_access_token", "_login", "_register", "_whoami", "access_token", "authenticate", "login"}
)
"""The names of methods and properties by which Apprise's plugins log in."""

LOGOUT_METHODS = frozenset({"_logout", "logout"})

_DETACHED_DESTRUCTOR = "detached_destructor"


def detach_destructor(kind: type) -> bool:
    """Rename a class's destructor, so that `find_closer` alone finds it; return if it had one."""
    destructor: Any = vars(kind).get("__del__")
    if destructor is None:
        return False
    if isinstance(destructor, FunctionType):
        destructor.__code__ = destructor.__code__.replace(co_name=_DETACHED_DESTRUCTOR)
    type.__setattr__(kind, _DETACHED_DESTRUCTOR, destructor)
    type.__delattr__(kind, "__del__")
    return True


def find_closer(plugin: NotifyBase) -> Callable[[], object] | None:
    """Return the function that ends a plugin: its detached destructor, or else its logout."""
    names = (_DETACHED_DESTRUCTOR, *sorted(LOGOUT_METHODS))
    methods = (getattr(plugin, name, None) for name in names)
    return next(filter(callable, methods), None)


@cache
def adapt_plugin_class(kind: type[NotifyBase]) -> bool:
    """Change a class and its parents, once; return whether its plugins log in."""
    logs_in = False
    for parent in kind.__mro__:
        detach_destructor(parent)
        if not issubclass(parent, NotifyBase) or parent is NotifyBase:
            continue
        for name, member in list(vars(parent).items()):
            if name in LOGIN_METHODS and (member := _share_login(member)) is not None:
                type.__setattr__(parent, name, member)
            elif name in LOGOUT_METHODS and callable(member):
                type.__setattr__(parent, name, _defer_logout(member))
        logs_in |= any(_is_shared(member) for member in vars(parent).values())
    return logs_in


_SHARES_LOGIN = "shares_its_login"


def _is_shared(member: object) -> bool:
    return hasattr(getattr(member, "fget", member), _SHARES_LOGIN)


def _share_login(member: object) -> object:
    """Return a method or property that shares the login it makes; None for anything else."""
    if _is_shared(member):
        return member
    if isinstance(member, property) and member.fget is not None:
        return property(_wrap_login(member.fget))
    return _wrap_login(member) if callable(member) else None


def _wrap_login(method: Callable[..., object]) -> Callable[..., object]:
    @wraps(method)
    def log_in(plugin: NotifyBase, *args: object, **options: object) -> object:
        if LOGGING_IN.get():
            return method(plugin, *args, **options)
        token = LOGGING_IN.set(True)
        state, result = get_login_state(plugin), None
        state.recent_keys.clear()
        try:
            result = method(plugin, *args, **options)
        finally:
            LOGGING_IN.reset(token)
            logins = _find_logins()
            if logins is not None:
                logins.record_result(plugin, is_success=bool(result))
        return result

    setattr(log_in, _SHARES_LOGIN, True)
    return log_in


def _defer_logout(method: Callable[..., object]) -> Callable[..., object]:
    if hasattr(method, _SHARES_LOGIN):
        return method

    @wraps(method)
    def log_out(plugin: NotifyBase, *args: object, **options: object) -> object:
        send_context = SEND_CONTEXT.get()
        if send_context is None or send_context.logins is None:
            return method(plugin, *args, **options)
        get_login_state(plugin).is_logged_out = True
        return True

    setattr(log_out, _SHARES_LOGIN, True)
    return log_out


def _find_logins() -> SharedLogins | None:
    send_context = SEND_CONTEXT.get()
    return None if send_context is None else send_context.logins
