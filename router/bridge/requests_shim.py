"""The module that Apprise's plugins get under the name `requests`.

It builds requests exactly as the real library does and sends them over the transport of the
current send. Outside of a send, every request raises `OutsideSendRequestError`.
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
    """A request was made outside of a send; nothing was sent."""


class TransportAdapter(requests.adapters.BaseAdapter):
    """An adapter that sends a session's requests over the transport of the current send.

    It accepts the arguments of any adapter of requests, and ignores them.
    """

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def send(  # type: ignore[override]  # the same by keyword, and no other caller exists
        self, request: requests.PreparedRequest, *, verify: bool | str = True, **_: object
    ) -> requests.Response:
        """Send a prepared request; raises the exceptions of requests."""
        response = _fetch(from_prepared(request, verify=verify))
        vars(response).update(request=request, connection=self)
        return response

    def close(self) -> None:
        """Do nothing: the transport owns the connections."""


class BridgedSession(requests.Session):
    """A session of requests without connections, redirects, cookies, proxies or `.netrc`."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_adapter(self, url: str | bytes) -> TransportAdapter:  # noqa: ARG002 - requests' own signature
        """Return the adapter of the current send, whatever was mounted."""
        return TransportAdapter()

    def resolve_redirects(self, *_: object, **__: object) -> Generator[requests.Response]:
        """Follow no redirect."""
        yield from ()


class BlockedSession(BridgedSession):
    """A stand-in for sessions that Apprise makes for its own look-ups: it refuses every request."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def get_adapter(self, url: str | bytes) -> TransportAdapter:  # noqa: ARG002 - requests' own signature
        """Refuse every request."""
        raise OutsideSendRequestError("no request of Apprise's own sessions")


class RequestsShim(ModuleType):
    """A module like `requests`, whose requests go over the transport of the current send.

    It has the members of the real module that make no connection.
    """

    Session = BridgedSession

    def __init__(self) -> None:
        super().__init__("requests")
        self.__dict__.update(copy_public_names(requests, without=_CONNECTING_NAMES))
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
        """Send a request and return the response; raises the exceptions of requests.

        Outside of a send it raises `OutsideSendRequestError`.
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
"""Members of the real module that open connections of their own."""


def _make_module_shim(module: ModuleType, **members: object) -> ModuleType:
    """Return a copy of a module of requests with other `members`, and none that connects."""
    shim = ModuleType(module.__name__)
    public_names = copy_public_names(module, without={"PoolManager", "proxy_from_url"})
    vars(shim).update(public_names | members)
    return shim


def find_shims() -> dict[int, object]:
    """Return the stand-ins by the `id` of the object that each replaces."""
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
    return {id(original): shim for original, shim in pairs}


def is_bridged(value: object) -> bool:
    """Return whether a member of a plugin's module is the shim or a part of it."""
    return isinstance(getattr(value, "__self__", value), RequestsShim) or value is BridgedSession


def _fetch(request: Request) -> requests.Response:
    try:
        return _to_requests_response(request, current_send_context().fetch(request))
    except OutsideSendError as error:
        raise OutsideSendRequestError(str(error)) from None
    except TransportError as error:
        raise _to_requests_error(error) from None


def _to_requests_response(request: Request, response: Response) -> requests.Response:
    """Return a response as an object of requests, read to its end."""
    result = requests.Response.__new__(requests.Response)
    headers = CaseInsensitiveDict(response.headers)
    vars(result).update(
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
    return result


_NO_COOKIES = requests.cookies.RequestsCookieJar()
_NO_TIME = timedelta()


def _reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _to_requests_error(error: TransportError) -> requests.RequestException:
    """Return the exception of requests for a missing answer."""
    if error.reason != TIMED_OUT:
        return requests.ConnectionError(error.reason)
    if error.sent:
        return requests.ReadTimeout(error.reason)
    return requests.ConnectTimeout(error.reason)


REQUESTS_SHIM = RequestsShim()
"""The only instance; a plugin that makes requests of its own imports it as `requests`."""
