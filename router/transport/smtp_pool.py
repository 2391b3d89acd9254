"""Hands mail to SMTP servers over connections that are used again."""

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
    DONE,
    CalledOff,
    Progress,
    Refusal,
    Reply,
    Server,
    connect,
    converse,
    locate,
)

THREADS = 16
"""Messages handed over at the same time; the rest wait their turn."""

IDLE = 20.0
"""Seconds a connection is kept unused: servers close theirs after a minute or more."""


_ENHANCED = re.compile(rb"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")


class Postman:
    """A pool of SMTP connections with threads to speak over them.

    An answer's status is the reply code that settled the message, its body the reply's text,
    and its header `smtp-command` what was replied to: `connect`, `auth`, `mail`, `rcpt` or
    `data`.
    """

    def __init__(self, *, trusting: ssl.SSLContext) -> None:
        """Connect to nothing yet; `trusting` says whose certificates are good."""
        self._trusting = trusting
        self._idle: dict[Server, list[tuple[float, smtplib.SMTP]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="postman")

    @cached_property
    def _careless(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    async def send(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109 - the port's signature
        """Hand one message over; raises `TransportError` when no reply settled it."""
        progress = Progress(seconds=timeout)
        work = self._threads.submit(self._hand_over, request, progress)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(asyncio.wrap_future(work))
        except TimeoutError:
            raise TransportError(TIMED_OUT, sent=_abandon(work, progress)) from None
        except asyncio.CancelledError:
            _abandon(work, progress)
            raise

    async def aclose(self) -> None:
        """Let running messages finish, then say goodbye on every connection."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        for connections in self._idle.values():
            for _, connection in connections:
                _leave(connection)
        self._idle.clear()

    def _hand_over(self, request: Request, progress: Progress) -> Response:
        try:
            return _answer("data", self._deliver(locate(request), request, progress))
        except Refusal as refusal:
            return _answer(refusal.command, refusal.reply)
        except CalledOff:
            raise TransportError(TIMED_OUT, sent=False) from None
        except (OSError, smtplib.SMTPException) as error:
            if progress.late:
                raise TransportError(TIMED_OUT, sent=progress.sent) from None
            raise fail(error, sent=progress.sent) from None

    def _deliver(self, server: Server, request: Request, progress: Progress) -> Reply:
        """Speak over a kept connection, or a new one where that had been closed meanwhile."""
        kept = self._take(server)
        if kept is not None:
            try:
                return self._speak(server, kept, request, progress)
            except (OSError, smtplib.SMTPServerDisconnected):
                if progress.sent:
                    raise
        context = self._trusting if server.verify else self._careless
        fresh = connect(server, context, seconds=progress.left)
        return self._speak(server, fresh, request, progress)

    def _speak(
        self, server: Server, connection: smtplib.SMTP, request: Request, progress: Progress
    ) -> Reply:
        try:
            reply = converse(connection, request, progress)
        except Refusal:
            self._keep(server, connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._keep(server, connection)
        return reply

    def _take(self, server: Server) -> smtplib.SMTP | None:
        now = time.monotonic()
        stale: list[smtplib.SMTP] = []
        with self._lock:
            connections = self._idle[server]
            while connections and now - connections[0][0] >= IDLE:
                stale.append(connections.pop(0)[1])
            kept = connections.pop()[1] if connections else None
        for connection in stale:
            _leave(connection)
        return kept

    def _keep(self, server: Server, connection: smtplib.SMTP) -> None:
        """Keep a connection that answers as it should after a message."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            if connection.rset()[0] == DONE:
                with self._lock:
                    self._idle[server].append((time.monotonic(), connection))
                return
        connection.close()


def _answer(command: str, reply: Reply) -> Response:
    code, text = reply
    return Response(status=code, headers={"smtp-command": command}, body=_join_lines(text))


def _join_lines(text: bytes) -> bytes:
    """Return a reply's lines as one, with the first enhanced code of a line in front.

    A server may repeat the code on each line (RFC 2034, section 4), or write it on a later one.
    """
    lines = text.splitlines()
    found = (_ENHANCED.match(line) for line in lines)
    code = next((match[1] for match in found if match), b"")
    words = (_ENHANCED.sub(b"", line, count=1).strip() for line in lines)
    return b" ".join(filter(None, (code, *words)))


def _abandon(work: Future[Response], progress: Progress) -> bool:
    """Stop waiting for a message; return whether it may have been sent."""
    work.cancel()
    return progress.call_off()


def _leave(connection: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):
        connection.quit()
