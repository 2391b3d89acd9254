"""What Apprise's plugins see under the name `requests`.

It builds requests exactly as the real library does and hands them to the transport of the send
that the plugin's code belongs to. Outside of a send there is no way out.
"""

from collections.abc import Generator
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from types import ModuleType
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from router.bridge.module_shim import carry
from router.bridge.request_builder import prepare, read_prepared
from router.bridge.send_context import OutsideSendError, current_trip
from router.channel import Request, Response, TransportError
from router.transport.error_text import TIMED_OUT


class NoSendError(requests.RequestException):
    """A request was made outside of a send; nothing went out."""


class Adapter(requests.adapters.BaseAdapter):
    """What a session hands prepared requests to, in the place of connections of its own."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take the arguments of any adapter of requests; none of them matters here."""
        super().__init__()

    def send(  # type: ignore[override]  # the same by keyword, and nobody else asks
        self, request: requests.PreparedRequest, *, verify: bool | str = True, **_: object
    ) -> requests.Response:
        """Send a prepared request; raises requests' exceptions."""
        answer = _exchange(read_prepared(request, verify=verify))
        vars(answer).update(request=request, connection=self)
        return answer

    def close(self) -> None:
        """Do nothing: the connections are the transport's."""


class BridgedSession(requests.Session):
    """A session of requests without connections, redirects, cookies, proxies or `.netrc`."""

    def __init__(self) -> None:
        """Take nothing from the environment."""
        super().__init__()
        self.trust_env = False

    def get_adapter(self, url: str | bytes) -> Adapter:  # noqa: ARG002 - requests' own signature
        """Return the way out of the current send, whatever was mounted."""
        return Adapter()

    def resolve_redirects(self, *_: object, **__: object) -> Generator[requests.Response]:
        """Follow none."""
        yield from ()


class RefusedSession(BridgedSession):
    """Stands in for sessions that Apprise makes for look-ups of its own: nothing goes out."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take the arguments of any session."""
        super().__init__()

    def get_adapter(self, url: str | bytes) -> Adapter:  # noqa: ARG002 - requests' own signature
        """Refuse every request."""
        raise NoSendError("no request of Apprise's own sessions")


class Facade(ModuleType):
    """A module like `requests`, whose requests go over the transport of the current send."""

    Session = BridgedSession

    def __init__(self) -> None:
        """Carry the names of the real module that make no connection."""
        super().__init__("requests")
        self.__dict__.update(carry(requests, less=_WAYS_OUT))
        self.api = self
        self.sessions = _stand_in(
            requests.sessions, Session=BridgedSession, session=BridgedSession, HTTPAdapter=Adapter
        )
        self.adapters = _stand_in(requests.adapters, HTTPAdapter=Adapter, BaseAdapter=Adapter)

    def session(self) -> BridgedSession:
        """Return a session."""
        return BridgedSession()

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        """Send a request and return requests' response; raises requests' exceptions.

        Outside of a send that is `NoSendError`.
        """
        return _exchange(prepare(method, url, options))

    def get(self, url: str, params: Any = None, **options: Any) -> requests.Response:  # noqa: ANN401 - the same
        """Send a GET."""
        return self.request("GET", url, params=params, **options)

    def head(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - the same
        """Send a HEAD."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - the same
        """Send an OPTIONS."""
        return self.request("OPTIONS", url, **options)

    def post(
        self,
        url: str,
        data: Any = None,  # noqa: ANN401 - the same
        json: Any = None,  # noqa: ANN401 - the same
        **options: Any,  # noqa: ANN401 - the same
    ) -> requests.Response:
        """Send a POST."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> requests.Response:  # noqa: ANN401 - the same
        """Send a PUT."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> requests.Response:  # noqa: ANN401 - the same
        """Send a PATCH."""
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - the same
        """Send a DELETE."""
        return self.request("DELETE", url, **options)


_VERBS = frozenset({"request", "get", "head", "options", "post", "put", "patch", "delete"})

_WAYS_OUT = _VERBS | {"Session", "adapters", "api", "packages", "session", "sessions", "urllib3"}
"""Names of the real module that lead to connections of its own."""


def _stand_in(module: ModuleType, **ours: object) -> ModuleType:
    """Return a module of requests with names of ours, less what connects by itself."""
    made = ModuleType(module.__name__)
    vars(made).update(carry(module, less={"PoolManager", "proxy_from_url"}) | ours)
    return made


def find_stand_ins() -> dict[int, object]:
    """Return our stand-ins by the `id` of what each stands in for."""
    pairs = [(getattr(requests, verb), getattr(FACADE, verb)) for verb in _VERBS]
    pairs += [
        (requests, FACADE),
        (requests.api, FACADE),
        (requests.sessions, FACADE.sessions),
        (requests.adapters, FACADE.adapters),
        (requests.Session, BridgedSession),
        (requests.session, FACADE.session),
        (requests.adapters.HTTPAdapter, Adapter),
    ]
    return {id(real): ours for real, ours in pairs}


def leads_to_bridge(value: object) -> bool:
    """Return whether a name in a plugin's module stands for the facade or a part of it."""
    return isinstance(getattr(value, "__self__", value), Facade) or value is BridgedSession


def _exchange(request: Request) -> requests.Response:
    try:
        return _answer(request, current_trip().fetch(request))
    except OutsideSendError as error:
        raise NoSendError(str(error)) from None
    except TransportError as error:
        raise _translate(error) from None


def _answer(request: Request, response: Response) -> requests.Response:
    """Return requests' view of a response, read to its end."""
    answer = requests.Response.__new__(requests.Response)
    headers = CaseInsensitiveDict(response.headers)
    vars(answer).update(
        status_code=response.status,
        headers=headers,
        encoding=get_encoding_from_headers(headers),
        reason=_phrase(response.status),
        url=request.url,
        raw=BytesIO(response.body),
        history=[],
        cookies=_NO_COOKIES,
        elapsed=_NO_TIME,
        _content=response.body,
        _content_consumed=True,
        _next=None,
    )
    return answer


_NO_COOKIES = requests.cookies.RequestsCookieJar()
_NO_TIME = timedelta()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _translate(error: TransportError) -> requests.RequestException:
    """Return requests' exception for an answer that did not come."""
    if error.reason != TIMED_OUT:
        return requests.ConnectionError(error.reason)
    if error.sent:
        return requests.ReadTimeout(error.reason)
    return requests.ConnectTimeout(error.reason)


FACADE = Facade()
"""The one stand-in; a plugin that makes requests of its own imports it as `requests`."""
