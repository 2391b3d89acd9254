"""Sends mail over pooled SMTP connections."""

import asyncio
import contextlib
import re
import smtplib
import ssl
import threading
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

from router.channel import Request, Response, TransportError
from router.transport.error_text import TIMED_OUT, fail
from router.transport.smtp_client import (
    CODE_OK,
    SMTPCancelled,
    SMTPProgress,
    SMTPRefused,
    SMTPReply,
    SMTPServer,
    connect,
    read_server,
    send_message,
)

MAX_THREADS = 16
"""Concurrent sends; further messages wait in a queue."""

IDLE_TIMEOUT_S = 20.0
"""Seconds after which an idle connection is closed: servers close theirs after a minute or more."""

_ENHANCED = re.compile(rb"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")


class SMTPPool:
    """A pool of SMTP connections, and of threads in which the blocking client runs.

    The status of an answer is the reply code that decided the message, its body the text of the
    reply, and its header `smtp-command` the command: `connect`, `auth`, `mail`, `rcpt` or `data`.
    `ssl_context` holds the trusted certificates.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext) -> None:
        self._ssl_context = ssl_context
        # Idle connections of a server, the longest idle first. A thread takes a connection out
        # while it uses it, so that no two threads write to one socket. The lock covers the lists
        # alone: no command to a server is sent under it.
        self._idle: dict[SMTPServer, list[tuple[float, smtplib.SMTP]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="smtp")

    @cached_property
    def _unverified_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Send one message; raises `TransportError` where no reply decided it."""
        progress = SMTPProgress(seconds=timeout)
        work = self._threads.submit(self._send_blocking, request, progress)
        answer = asyncio.wrap_future(work)
        answer.add_done_callback(_retrieve_exception)
        try:
            async with asyncio.timeout(timeout):
                # A thread cannot be cancelled. The shield keeps its future alive past a timeout;
                # `_cancel_send` then decides with the thread whether the message goes out.
                return await asyncio.shield(answer)
        except TimeoutError:
            raise TransportError(TIMED_OUT, sent=_cancel_send(work, progress)) from None
        except asyncio.CancelledError:
            _cancel_send(work, progress)
            raise

    async def aclose(self) -> None:
        """Wait for running sends, then quit every connection."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        # The shutdown has waited for every thread, so `_idle` needs no lock from here on.
        for connections in self._idle.values():
            for _, connection in connections:
                _quit(connection)
        self._idle.clear()

    def _send_blocking(self, request: Request, progress: SMTPProgress) -> Response:
        try:
            return _to_response(
                "data", self._send_over_pool(read_server(request), request, progress)
            )
        except SMTPRefused as refusal:
            return _to_response(refusal.command, refusal.reply)
        except SMTPCancelled:
            raise TransportError(TIMED_OUT, sent=False) from None
        except (OSError, smtplib.SMTPException) as error:
            if progress.is_late:
                raise TransportError(TIMED_OUT, sent=progress.sent) from None
            raise fail(error, sent=progress.sent) from None

    def _send_over_pool(
        self, server: SMTPServer, request: Request, progress: SMTPProgress
    ) -> SMTPReply:
        """Send over an idle connection, or over a new one where the server has closed that."""
        idle_connection = self._acquire(server)
        if idle_connection is not None:
            try:
                return self._send_over(server, idle_connection, request, progress)
            except (OSError, smtplib.SMTPServerDisconnected):
                # A server may close an idle connection at any time. Once the body may be out, a
                # second try could deliver the message twice.
                if progress.sent:
                    raise
        context = self._ssl_context if server.verify else self._unverified_context
        new_connection = connect(server, context, seconds=progress.seconds_left)
        return self._send_over(server, new_connection, request, progress)

    def _send_over(
        self, server: SMTPServer, connection: smtplib.SMTP, request: Request, progress: SMTPProgress
    ) -> SMTPReply:
        try:
            reply = send_message(connection, request, progress)
        except SMTPRefused:
            self._release(server, connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._release(server, connection)
        return reply

    def _acquire(self, server: SMTPServer) -> smtplib.SMTP | None:
        now = time.monotonic()
        stale: list[smtplib.SMTP] = []
        with self._lock:
            connections = self._idle[server]
            while connections and now - connections[0][0] >= IDLE_TIMEOUT_S:
                stale.append(connections.pop(0)[1])
            # The most recently used one: the server is least likely to have closed it.
            newest = connections.pop()[1] if connections else None
        for connection in stale:
            _quit(connection)
        return newest

    def _release(self, server: SMTPServer, connection: smtplib.SMTP) -> None:
        """Return a connection to the pool; close it where the server does not accept RSET."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            if connection.rset()[0] == CODE_OK:
                with self._lock:
                    self._idle[server].append((time.monotonic(), connection))
                return
        connection.close()


def _retrieve_exception(answer: "asyncio.Future[Response]") -> None:
    """Mark an error as retrieved: asyncio logs one that arrives after the caller has left."""
    if not answer.cancelled():
        answer.exception()


def _to_response(command: str, reply: SMTPReply) -> Response:
    code, text = reply
    return Response(status=code, headers={"smtp-command": command}, body=_join_lines(text))


def _join_lines(text: bytes) -> bytes:
    """Return a reply's lines as one, with the first enhanced code of a line in front.

    A server may repeat the code on each line (RFC 2034, section 4), or write it on a later one.
    """
    lines = text.splitlines()
    matches = (_ENHANCED.match(line) for line in lines)
    code = next((match[1] for match in matches if match), b"")
    texts = (_ENHANCED.sub(b"", line, count=1).strip() for line in lines)
    return b" ".join(filter(None, (code, *texts)))


def _cancel_send(work: Future[Response], progress: SMTPProgress) -> bool:
    """Stop waiting for a message; return whether it may have been sent."""
    work.cancel()  # has an effect only while no thread has begun
    return progress.cancel()


def _quit(connection: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):
        connection.quit()
