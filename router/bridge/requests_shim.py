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

from router.bridge.module_shim import copy_public_names
from router.bridge.request_builder import build_request, from_prepared
from router.bridge.send_context import OutsideSendError, current_send_context
from router.channel import Request, Response, TransportError
from router.transport.error_text import TIMED_OUT


class OutsideSendRequestError(requests.RequestException):
    """A request was made outside of a send; nothing went out."""


class TransportAdapter(requests.adapters.BaseAdapter):
    """What a session hands prepared requests to, in the place of connections of its own."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take the arguments of any adapter of requests; none of them matters here."""
        super().__init__()

    def send(  # type: ignore[override]  # the same by keyword, and nobody else asks
        self, request: requests.PreparedRequest, *, verify: bool | str = True, **_: object
    ) -> requests.Response:
        """Send a prepared request; raises requests' exceptions."""
        answer = _fetch(from_prepared(request, verify=verify))
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

    def get_adapter(self, url: str | bytes) -> TransportAdapter:  # noqa: ARG002 - requests' own signature
        """Return the way out of the current send, whatever was mounted."""
        return TransportAdapter()

    def resolve_redirects(self, *_: object, **__: object) -> Generator[requests.Response]:
        """Follow none."""
        yield from ()


class BlockedSession(BridgedSession):
    """Stands in for sessions that Apprise makes for look-ups of its own: nothing goes out."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take the arguments of any session."""
        super().__init__()

    def get_adapter(self, url: str | bytes) -> TransportAdapter:  # noqa: ARG002 - requests' own signature
        """Refuse every request."""
        raise OutsideSendRequestError("no request of Apprise's own sessions")


class RequestsShim(ModuleType):
    """A module like `requests`, whose requests go over the transport of the current send."""

    Session = BridgedSession

    def __init__(self) -> None:
        """Carry the names of the real module that make no connection."""
        super().__init__("requests")
        self.__dict__.update(copy_public_names(requests, less=_CONNECTING_NAMES))
        self.api = self
        self.sessions = _make_module_shim(
            requests.sessions,
            Session=BridgedSession,
            session=BridgedSession,
            HTTPAdapter=TransportAdapter,
        )
        self.adapters = _make_module_shim(
            requests.adapters, HTTPAdapter=TransportAdapter, BaseAdapter=TransportAdapter
        )

    def session(self) -> BridgedSession:
        """Return a session."""
        return BridgedSession()

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        """Send a request and return requests' response; raises requests' exceptions.

        Outside of a send that is `OutsideSendRequestError`.
        """
        return _fetch(build_request(method, url, options))

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

_CONNECTING_NAMES = _VERBS | {
    "Session",
    "adapters",
    "api",
    "packages",
    "session",
    "sessions",
    "urllib3",
}
"""Names of the real module that lead to connections of its own."""


def _make_module_shim(module: ModuleType, **ours: object) -> ModuleType:
    """Return a module of requests with names of ours, less what connects by itself."""
    shim = ModuleType(module.__name__)
    vars(shim).update(copy_public_names(module, less={"PoolManager", "proxy_from_url"}) | ours)
    return shim


def find_shims() -> dict[int, object]:
    """Return our stand-ins by the `id` of what each stands in for."""
    pairs = [(getattr(requests, verb), getattr(REQUESTS_SHIM, verb)) for verb in _VERBS]
    pairs += [
        (requests, REQUESTS_SHIM),
        (requests.api, REQUESTS_SHIM),
        (requests.sessions, REQUESTS_SHIM.sessions),
        (requests.adapters, REQUESTS_SHIM.adapters),
        (requests.Session, BridgedSession),
        (requests.session, REQUESTS_SHIM.session),
        (requests.adapters.HTTPAdapter, TransportAdapter),
    ]
    return {id(real): ours for real, ours in pairs}


def is_bridged(value: object) -> bool:
    """Return whether a name in a plugin's module stands for the shim or a part of it."""
    return isinstance(getattr(value, "__self__", value), RequestsShim) or value is BridgedSession


def _fetch(request: Request) -> requests.Response:
    try:
        return _to_requests_response(request, current_send_context().fetch(request))
    except OutsideSendError as error:
        raise OutsideSendRequestError(str(error)) from None
    except TransportError as error:
        raise _to_requests_error(error) from None


def _to_requests_response(request: Request, response: Response) -> requests.Response:
    """Return requests' view of a response, read to its end."""
    answer = requests.Response.__new__(requests.Response)
    headers = CaseInsensitiveDict(response.headers)
    vars(answer).update(
        status_code=response.status,
        headers=headers,
        encoding=get_encoding_from_headers(headers),
        reason=_reason_phrase(response.status),
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


def _reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _to_requests_error(error: TransportError) -> requests.RequestException:
    """Return requests' exception for an answer that did not come."""
    if error.reason != TIMED_OUT:
        return requests.ConnectionError(error.reason)
    if error.sent:
        return requests.ReadTimeout(error.reason)
    return requests.ConnectTimeout(error.reason)


REQUESTS_SHIM = RequestsShim()
"""The one stand-in; a plugin that makes requests of its own imports it as `requests`."""
