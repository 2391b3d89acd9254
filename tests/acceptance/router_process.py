"""The real router as a process of its own."""

import base64
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import ROOT
from tests.acceptance.fork_server import FORK_SERVER, ForkedProcess

PATIENCE = 30.0
RUN_TIMEOUT_S = 120.0
ROUTER = "router.cli"
"""The module that `python -m` runs."""
PASSWORD = "a-password-for-tests"
KEY = "an-operator-key-for-tests"
COMETCHAT = {
    "Authorization": "Basic " + base64.b64encode(f"cometchat:{PASSWORD}".encode()).decode()
}
OPERATOR = {"Authorization": f"Bearer {KEY}"}


def live(folder: Path, database: str = "") -> dict[str, str]:
    """Return the settings of a live router with its rules, and unless named its database, there."""
    return {
        "ROUTER_RULES": str(folder / "rules.yaml"),
        "ROUTER_DATABASE": database or f"sqlite+aiosqlite:///{folder}/router.db",
        "ROUTER_WEBHOOK_USER": "cometchat",
        "ROUTER_WEBHOOK_PASSWORD": PASSWORD,
        "ROUTER_API_KEYS": f"test:operator:{KEY}",
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class RouterProcess:
    """`router serve` on a free port, its log in a file; `module` is `router` itself."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *args: str,
        module: str = ROUTER,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self._args = args
        self._module = module
        self._environ = clean_environ() | {"ROUTER_PORT": str(self.port)} | dict(settings)
        self._process: ForkedProcess | subprocess.Popen[bytes] | None = None

    def start(self, path: str = "/health/ready") -> None:
        self._process = FORK_SERVER.start(
            self._module,
            ("serve", *self._args),
            self._environ,
            stdout=self.log,
            stderr=self.log,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers(path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.log.read_text())
            time.sleep(0.05)

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def send(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait_for(PATIENCE)

    def wait_for(self, seconds: float) -> int:
        assert self._process is not None
        return self._process.wait(timeout=seconds)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=PATIENCE)


def run_router(
    *args: str, environ: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a verb of `router` that nothing but `environ` configures, and keep what it says."""
    with tempfile.TemporaryDirectory(prefix="router-verb-") as name:
        stdout, stderr = Path(name) / "stdout", Path(name) / "stderr"
        settings = clean_environ() | dict(environ or {})
        process = FORK_SERVER.start(
            ROUTER, args, settings, folder=cwd, stdout=stdout, stderr=stderr
        )
        status = process.wait(RUN_TIMEOUT_S)
        return subprocess.CompletedProcess(args, status, stdout.read_text(), stderr.read_text())


def run(
    command: Sequence[str], environ: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command that nothing but `environ` configures a router for, and keep what it says."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=clean_environ() | dict(environ or {}),
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )


def clean_environ() -> dict[str, str]:
    """Return this process's environment without what would configure a router."""
    return {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("ROUTER_") and not name.lower().endswith("_proxy")
    }


@contextmanager
def running(folder: Path, settings: Mapping[str, str], *args: str) -> Iterator[RouterProcess]:
    process = RouterProcess(folder, settings, *args)
    try:
        process.start()
        yield process
    finally:
        process.kill()
