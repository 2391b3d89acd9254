"""Mail goes out over connections that are used again, and each reply is heard."""

import asyncio
import gc
import smtplib
import socket
import sys
import time
from collections.abc import AsyncIterator

import pytest

from router.bridge import Request, Response, TransportError
from router.testing import ScriptedTransport
from router.transport.http import AiohttpTransport
from router.transport.smtp_pool import SMTPPool
from tests.bridge.apprise_plugins import build, notify
from tests.transport.certificate import make_authority
from tests.transport.scripted_smtp_server import Server

MESSAGE = b"Subject: Ben\r\n\r\nLunch?\r\n"


@pytest.fixture
async def postman() -> AsyncIterator[SMTPPool]:
    opened = SMTPPool(ssl_context=make_authority()[1])
    yield opened
    await opened.aclose()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


def letter(
    server: Server,
    *,
    scheme: str = "smtp",
    user: str = "",
    to: str = "anna@example.com",
    verify: bool = True,
) -> Request:
    return Request(
        method="SMTP",
        url=f"{scheme}://{user}127.0.0.1:{server.port}",
        headers={"from": "router@example.com", "to": to},
        body=MESSAGE,
        verify=verify,
    )


async def test_a_message_is_handed_over(postman: SMTPPool, server: Server) -> None:
    response = await postman.send(letter(server), timeout=5)
    assert response == Response(
        status=250, headers={"smtp-command": "data"}, body=b"2.0.0 queued as 7"
    )
    assert server.mails == [("router@example.com", ["anna@example.com"], MESSAGE)]


async def test_a_connection_is_used_again(postman: SMTPPool, server: Server) -> None:
    for _ in range(5):
        await postman.send(letter(server), timeout=5)
    assert (len(server.mails), len(server.connections)) == (5, 1)


async def test_messages_at_the_same_time_have_connections_of_their_own(
    postman: SMTPPool, server: Server
) -> None:
    await asyncio.gather(*(postman.send(letter(server), timeout=10) for _ in range(30)))
    assert len(server.mails) == 30
    assert len(server.connections) <= 16


async def test_a_connection_that_the_server_closed_is_replaced(
    postman: SMTPPool, server: Server
) -> None:
    await postman.send(letter(server), timeout=5)
    server.drop()
    await asyncio.sleep(0.05)
    response = await postman.send(letter(server), timeout=5)
    assert (response.status, len(server.mails), len(server.connections)) == (250, 2, 2)


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("mail", "550 5.7.1 not you", (550, "mail", b"5.7.1 not you")),
        ("rcpt", "550 5.1.1 no such user", (550, "rcpt", b"5.1.1 no such user")),
        ("rcpt", "451 4.2.1 later", (451, "rcpt", b"4.2.1 later")),
        ("data", "554 5.7.1 spam", (554, "data", b"5.7.1 spam")),
        ("data", "452 4.3.1 full", (452, "data", b"4.3.1 full")),
    ],
)
async def test_a_refusal_says_what_was_refused(
    postman: SMTPPool, server: Server, command: str, reply: str, expected: tuple[int, str, bytes]
) -> None:
    server.replies[command] = reply
    response = await postman.send(letter(server), timeout=5)
    told = (response.status, response.headers["smtp-command"], response.body)
    assert told == expected
    assert not server.mails
    server.replies.clear()
    await postman.send(letter(server), timeout=5)
    assert (len(server.mails), len(server.connections)) == (1, 1)


async def test_the_first_recipient_decides(postman: SMTPPool, server: Server) -> None:
    server.replies["rcpt ops@example.com"] = "550 no"
    response = await postman.send(letter(server, to="anna@example.com, ops@example.com"), timeout=5)
    assert response.status == 250
    assert server.mails[0][1] == ["anna@example.com"]


@pytest.mark.parametrize(("password", "status"), [("pass%3Aword%2F%40", 250), ("wrong", 535)])
async def test_a_log_in_is_heard(
    postman: SMTPPool, server: Server, password: str, status: int
) -> None:
    response = await postman.send(letter(server, user=f"anna:{password}@"), timeout=5)
    assert response.status == status
    assert response.headers["smtp-command"] == ("data" if status == 250 else "auth")


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_a_message_goes_over_tls(postman: SMTPPool, scheme: str) -> None:
    async with Server(implicit=scheme == "smtps", starttls=scheme != "smtps") as server:
        assert (await postman.send(letter(server, scheme=scheme), timeout=5)).status == 250


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_a_server_that_nobody_vouches_for_gets_nothing(scheme: str) -> None:
    transport = AiohttpTransport()
    async with Server(implicit=scheme == "smtps", starttls=scheme != "smtps") as server:
        with pytest.raises(TransportError) as caught:
            await transport.send(letter(server, scheme=scheme), timeout=5)
        assert "certificate" in caught.value.reason
        assert not caught.value.sent
        careless = letter(server, scheme=scheme, verify=False)
        assert (await transport.send(careless, timeout=5)).status == 250
    await transport.aclose()


async def test_a_server_without_starttls_gets_no_password(
    postman: SMTPPool, server: Server
) -> None:
    response = await postman.send(letter(server, scheme="smtp+starttls"), timeout=5)
    assert (response.status, response.headers["smtp-command"]) == (502, "connect")


async def test_a_server_that_is_not_there_was_not_sent_to(
    postman: SMTPPool, server: Server
) -> None:
    request = letter(server)
    await server.__aexit__()
    with pytest.raises(TransportError) as caught:
        await postman.send(request, timeout=5)
    assert not caught.value.sent


async def test_a_hang_after_the_message_may_have_been_sent(
    postman: SMTPPool, server: Server
) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    server.hanging = True
    with pytest.raises(TransportError) as caught:
        await postman.send(letter(server), timeout=0.5)
    assert (caught.value.reason, caught.value.sent) == ("timed out", True)
    server.drop()
    await postman.aclose()
    del caught
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == [], "an error that comes too late is taken"


async def test_a_hang_before_the_message_was_not_sent(postman: SMTPPool) -> None:
    server = Server()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server.port = mute.getsockname()[1]
        with pytest.raises(TransportError) as caught:
            await postman.send(letter(server), timeout=0.5)
    assert (caught.value.reason, caught.value.sent) == ("timed out", False)


async def test_calling_off_returns_at_once(postman: SMTPPool, server: Server) -> None:
    server.hanging = True
    task = asyncio.create_task(postman.send(letter(server), timeout=1))
    await asyncio.sleep(0.1)
    task.cancel()
    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 0.5


async def test_an_address_beyond_ascii_goes_where_it_can_be_written(
    postman: SMTPPool, server: Server
) -> None:
    assert (await postman.send(letter(server, to="änna@example.com"), timeout=5)).status == 250
    assert server.mails[0][1] == ["änna@example.com"]


async def test_apprises_mail_plugin_hands_over_through_the_transport() -> None:
    async with Server() as server:
        url = f"mailto://u%40x:pass%3Aword%2F%40@example.com?smtp=127.0.0.1&port={server.port}"
        plugin = build(f"{url}&mode=insecure&to=anna@example.com&cc=ops@example.com")
        transport = AiohttpTransport()
        done, exchanges = await notify(plugin, transport)
        await transport.aclose()
    assert done
    assert [(exchange.request.method, exchange.status) for exchange in exchanges] == [("SMTP", 250)]
    assert server.mails[0][1] == ["anna@example.com", "ops@example.com"]
    content = server.mails[0][2]
    assert b"Lunch?" in content
    assert content.count(b"\n") == content.count(b"\r\n") > 1


@pytest.mark.parametrize(
    ("mode", "scheme"),
    [("insecure", "smtp"), ("ssl", "smtps"), ("starttls", "smtp+starttls")],
)
async def test_the_way_a_mail_would_go_is_told_without_a_socket(mode: str, scheme: str) -> None:
    url = "mailtos://user:p%3Aw@example.com?smtp=mail.example&port=2525&to=anna@example.com"
    transport = ScriptedTransport(Response(status=250))
    done, _ = await notify(build(f"{url}&mode={mode}&verify=no"), transport)
    request = transport.carried[0]
    assert done
    assert request.url == f"{scheme}://user:p%3Aw@mail.example:2525"
    assert request.headers == {"from": "user@example.com", "to": "anna@example.com"}
    assert request.verify is (mode == "insecure")


@pytest.mark.parametrize(
    "line", [Response(status=550, body=b"5.1.1 no"), TransportError("timed out", sent=True)]
)
async def test_a_mail_that_is_refused_leaves_its_reply_in_the_hop(
    line: Response | TransportError,
) -> None:
    url = "mailto://user:pw@example.com?smtp=mail.example&to=anna@example.com"
    done, exchanges = await notify(build(url), ScriptedTransport(line))
    assert not done
    assert exchanges[-1].response == line or exchanges[-1].error is not None


async def test_outside_of_a_send_no_mail_goes_out(server: Server) -> None:
    url = f"mailto://user@example.com?smtp=127.0.0.1&port={server.port}&mode=insecure"
    plugin = build(f"{url}&to=anna@example.com")
    assert not await asyncio.to_thread(plugin.notify, body="Lunch?", title="Ben")
    stand_in = vars(sys.modules["apprise.plugins.email.smtp"])["smtplib"]
    for name in ("SMTP", "SMTP_SSL"):
        with pytest.raises(smtplib.SMTPException, match="outside of a send"):
            getattr(stand_in, name)("127.0.0.1", server.port)
    assert not hasattr(stand_in, "LMTP")
    assert server.mails == []
