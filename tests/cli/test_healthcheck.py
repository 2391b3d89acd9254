"""`router healthcheck` asks a real server, and says what it answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from router.cli import main

Check = Callable[..., Result]


@pytest.fixture
def check() -> Check:
    def invoke(*args: str, **environ: str) -> Result:
        return CliRunner().invoke(main, ["healthcheck", *args], env=environ)

    return invoke


@contextmanager
def answering(answers: dict[str, tuple[int, str]]) -> Iterator[int]:
    """Answer each path with a status and a text; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_router_that_is_well_is_told_apart_from_one_that_only_lives(check: Check) -> None:
    answers = {"/health/live": (200, "alive"), "/health/ready": (503, "no rules")}
    with answering(answers) as port:
        environ = {"ROUTER_HOST": "0.0.0.0", "ROUTER_PORT": str(port)}  # noqa: S104 - as in a container
        live, ready = check("--live", **environ), check(**environ)
        again = check("--live", "--url", f"http://127.0.0.1:{port}/")
    assert (live.exit_code, live.stdout, again.stdout) == (0, "alive\n", "alive\n")
    assert ready.exit_code == 1
    assert ready.stderr == f"error: http://127.0.0.1:{port}/health/ready: no rules\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:8000", "must begin with http:// or https://"),
        ("http://127.0.0.1:port", "no answer (ValueError)"),
        ("http://nobody.invalid", "no answer (gaierror)"),
    ],
)
def test_an_address_that_leads_nowhere_is_no_answer(check: Check, url: str, said: str) -> None:
    result = check("--url", url)
    assert result.exit_code == 1
    assert said in result.stderr
