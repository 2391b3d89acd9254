"""A subject of a measurement: a process, how it is started, and what it has used."""

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests import ROOT
from tests.acceptance.router_process import clean_environ, free_port

PATIENCE = 120.0
"""Seconds in which a process has to start, to come to rest, or to end."""

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")
_LOOK = 0.2
"""Seconds of which a process at rest spends no more than one tick of the clock."""


class Subject:
    """A running process that listens on a port of loopback."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        """Stand for a process; its output goes to `log`."""
        self._process = process
        self.port = port
        self.log = log

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def cpu(self) -> float:
        """Return the seconds of CPU it has used, user and system, all threads."""
        text = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        fields = text.rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK

    def resident(self) -> int:
        """Return the bytes of memory it holds."""
        fields = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
        return int(fields[1]) * _PAGE

    async def rest(self) -> None:
        """Return when it has nothing left to do; raises `TimeoutError` when that never comes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                before = self.cpu()
                await asyncio.sleep(_LOOK)
                if self.cpu() - before <= _TICK:
                    return


def own_cpu() -> float:
    """Return the seconds of CPU that this process has used, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@asynccontextmanager
async def running(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> AsyncIterator[Subject]:
    """Run a command, which listens on the port in PORT and ROUTER_PORT, until the block ends.

    Raises `RuntimeError` with its output when it dies or never listens.
    """
    port = free_port()
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
            command,
            env=clean_environ() | {"PORT": str(port), "ROUTER_PORT": str(port)} | dict(environ),
            stdout=output,
            stderr=output,
            cwd=ROOT,
        )
    try:
        await _answering(process, port, log)
        yield Subject(process, port, log)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, PATIENCE)
        process.kill()
        process.wait()


async def _answering(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(log.read_text(encoding="utf-8", errors="replace"))  # noqa: ASYNC240 - the same
