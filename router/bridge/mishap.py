"""Why no answer came, in fixed words: an error's own words may hold a URL or a password."""

import smtplib
import socket
import ssl

import aiohttp

from router.bridge.proxy_tunnel import PROXY_REFUSED, PROXY_UNREACHABLE

_WORDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError),
        "the server's certificate is not trusted",
    ),
    ((aiohttp.ClientConnectorSSLError, ssl.SSLError), "no secure connection could be made"),
    (aiohttp.ClientProxyConnectionError, PROXY_UNREACHABLE),
    (aiohttp.ClientHttpProxyError, PROXY_REFUSED),
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), "the host name is not known"),
    (aiohttp.ClientConnectorError, "no connection could be made"),
    (
        (aiohttp.ServerDisconnectedError, smtplib.SMTPServerDisconnected),
        "the connection was closed without an answer",
    ),
    (smtplib.SMTPException, "the mail server does not keep to SMTP"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (ValueError, "the request cannot be sent as it is"),
    ((TimeoutError, aiohttp.ServerTimeoutError), "timed out"),
    (ConnectionRefusedError, "no connection could be made"),
    (OSError, "the connection was reset"),
)


def explain(error: BaseException) -> str:
    """Return what went wrong, free of secrets."""
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "the send failed")
