"""What Apprise's plugins see under the name `requests`.

Inside a send it builds requests exactly as the real library does and hands them to the
trip's transport; outside of one it is the real library.
"""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from types import ModuleType
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from router.bridge.preparation import prepare
from router.bridge.standin import carry
from router.bridge.trip import TIMED_OUT, TRIP, Trip
from router.channel import Request, Response, TransportError


class Facade(ModuleType):
    """A module like `requests`, whose requests go over the transport of the current trip."""

    def __init__(self) -> None:
        """Carry every name of the real module, then put our own over some."""
        super().__init__("requests")
        self.__dict__.update(carry(requests, less=_VERBS))

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        """Send a request and return requests' response; raises requests' exceptions."""
        trip = TRIP.get()
        if trip is None:
            return requests.request(method, url, timeout=options.pop("timeout", 30), **options)
        return _exchange(trip, method, url, options)

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


def _exchange(trip: Trip, method: str, url: str, options: Mapping[str, Any]) -> requests.Response:
    request = prepare(method, url, options)
    try:
        return _answer(request, trip.fetch(request))
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
