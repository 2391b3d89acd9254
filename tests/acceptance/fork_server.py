"""Starts processes of the router by a fork of one that has imported it already.

A router that starts from nothing spends a second of processor time on imports, and the tests start
hundreds. A forked one is a process of its own all the same: it has its own environment, standard
streams, signals and exit status, and can be killed.

The server answers one request a connection, over a Unix socket: a line of JSON with the module,
its arguments, the environment, the folder and the two files of its output. It sends back the
process id, and once the process has ended, its exit status (negative: the signal), each in a line.
It ends when its standard input does, which is when the tests end.
"""

import atexit
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests import ROOT

START_TIMEOUT_S = 120.0


class Request(NamedTuple):
    """A process to start: `python -m module *args`."""

    module: str
    args: tuple[str, ...]
    environ: dict[str, str]
    folder: str
    stdout: str
    stderr: str


class ForkedProcess:
    """A process that the server started; its methods are those of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._lines = connection.makefile("rb")
        self._connection = connection
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        return self._read(0.0)

    def wait(self, timeout: float) -> int:
        """Return the exit status; raise `subprocess.TimeoutExpired` after so many seconds."""
        status = self._read(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _read(self, seconds: float) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(seconds):
                    return None
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._connection.close()
        return self.returncode


class ForkServer:
    """The server as the tests see it; started with the first process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._path = ""

    def start(
        self,
        module: str,
        args: Sequence[str],
        environ: Mapping[str, str],
        *,
        folder: Path = ROOT,
        stdout: Path,
        stderr: Path,
    ) -> ForkedProcess:
        """Start `python -m module *args`, whose output is appended to two files."""
        request = Request(module, tuple(args), dict(environ), str(folder), str(stdout), str(stderr))
        with self._lock:
            if self._server is None:
                self._launch()
        connection = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                connection.connect(self._path)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                break
        connection.sendall(json.dumps(request).encode() + b"\n")
        return ForkedProcess(connection)

    def _launch(self) -> None:
        folder = tempfile.mkdtemp(prefix="router-fork-")
        self._path = f"{folder}/socket"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.fork_server", self._path],
            stdin=subprocess.PIPE,
            cwd=ROOT,
        )
        atexit.register(self._end)

    def _end(self) -> None:
        assert self._server is not None
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        shutil.rmtree(Path(self._path).parent)


FORK_SERVER = ForkServer()


def import_router() -> None:
    """Import the modules of the router and its plugins, and what these import later."""
    for package in ("router", "router.plugins"):
        folder = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(folder, f"{package}."):
            if not module.name.endswith("__main__") and "migrations" not in module.name:
                importlib.import_module(module.name)
    for name in ("asyncpg", "uvloop", "uvicorn", "unittest.mock", "rich.console"):
        importlib.import_module(name)


def serve(path: str) -> Request:
    """Serve until the tests end; return in each child, with what it is to run."""
    import_router()
    wake, woken = socket.socketpair()
    woken.settimeout(0)
    wake.settimeout(0)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen(64)
    Path(path + ".new").rename(path)  # clients find it when it listens
    children: dict[int, socket.socket] = {}
    selector = selectors.DefaultSelector()
    for source in (listener, woken, sys.stdin):
        selector.register(source, selectors.EVENT_READ)
    while True:
        ready: list[Any] = [key.fileobj for key, _ in selector.select()]
        if sys.stdin in ready:
            os._exit(0)
        if woken in ready:
            woken.recv(4096)
            report_ended(children)
        if listener not in ready:
            continue
        connection, _ = listener.accept()
        with connection.makefile("rb") as lines:
            fields = json.loads(lines.readline())
        request = Request(*fields)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            selector.close()
            for inherited in (listener, wake, woken, connection, *children.values()):
                inherited.close()
            return request
        children[pid] = connection
        connection.sendall(b"%d\n" % pid)


def report_ended(children: dict[int, socket.socket]) -> None:
    """Tell the clients of the children that have ended their exit statuses."""
    for pid in [*children]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with children.pop(pid) as connection:
                try:
                    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
                except OSError:
                    continue  # nobody waits for it


def become(request: Request) -> None:
    """Run a request's module as the process that it asks for."""
    os.environ.clear()
    os.environ.update(request.environ)
    time.tzset()
    os.chdir(request.folder)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, name in ((0, os.devnull), (1, request.stdout), (2, request.stderr)):
        opened = os.open(name, append if number else os.O_RDONLY, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = [request.module, *request.args]
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    become(serve(sys.argv[1]))
