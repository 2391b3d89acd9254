"""A transport that trusts the tests' authority, and requests for it to carry."""

from router.bridge import Request
from router.transport.http import AiohttpTransport
from tests.fakes.http2 import Http2Provider
from tests.transport.certificate import read_authority


def make_transport() -> AiohttpTransport:
    """Return a transport that trusts the servers of the tests."""
    return AiohttpTransport(authorities=read_authority())


def ask(
    provider: Http2Provider, path: str = "/", body: bytes = b"hello", **headers: str
) -> Request:
    url = f"{provider.url}{path}"
    return Request(method="POST", url=url, headers=headers, body=body, http2=True)
