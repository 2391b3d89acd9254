"""Fixed texts for network errors: the text of the error itself may hold a URL or a password."""

import smtplib
import socket
import ssl

import aiohttp

from router.channel import TransportError, UntrustedServerError
from router.transport.proxy_tunnel import PROXY_REFUSED, PROXY_UNREACHABLE

TIMED_OUT = "timed out"
"""The reason of a `TransportError` after a timeout."""

_ERROR_TEXTS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError),
        "the server's certificate is not trusted",
    ),
    ((aiohttp.ClientConnectorSSLError, ssl.SSLError), "the TLS handshake failed"),
    (aiohttp.ClientProxyConnectionError, PROXY_UNREACHABLE),
    (aiohttp.ClientHttpProxyError, PROXY_REFUSED),
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), "the host name was not found"),
    (aiohttp.ClientConnectorError, "the server is unreachable"),
    (
        (aiohttp.ServerDisconnectedError, smtplib.SMTPServerDisconnected),
        "the connection was closed without an answer",
    ),
    (smtplib.SMTPException, "the answer is not SMTP"),
    (aiohttp.ClientPayloadError, "the answer is incomplete"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (ValueError, "the request is invalid"),
    ((TimeoutError, aiohttp.ServerTimeoutError), TIMED_OUT),
    (ConnectionRefusedError, "the server is unreachable"),
    (OSError, "the connection was reset"),
)


_NO_TLS = frozenset({"HTTP_REQUEST", "WRONG_VERSION_NUMBER"})
"""OpenSSL's words for a server that answers a TLS handshake in clear text."""


def fail(error: BaseException, *, sent: bool) -> TransportError:
    """Return the `TransportError` for a network error, free of secrets.

    `sent` says whether the request may have reached the provider.
    """
    cause = getattr(error, "os_error", error)  # aiohttp's errors hold the socket's
    cause = getattr(error, "certificate_error", cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return UntrustedServerError(describe_error(error))
    if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
        return UntrustedServerError("the server does not use TLS on this port")
    return TransportError(describe_error(error), sent=sent)


def describe_error(error: BaseException) -> str:
    """Return the fixed text for a network error, free of secrets."""
    return next((text for kind, text in _ERROR_TEXTS if isinstance(error, kind)), "the send failed")
