"""Many sends made by a process of its own, and what they cost."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.measurement import MIB, MICRO
from tests import ROOT
from tests.acceptance.router_process import clean_environ


async def send_all(
    module: str, *arguments: str, count: int, environ: Mapping[str, str]
) -> dict[str, float]:
    """Return what a module of `benchmarks` says of so many sends that it makes in its own process.

    Raises `RuntimeError` when it made fewer.
    """
    command = (sys.executable, "-m", f"benchmarks.{module}", *arguments, str(count))
    return await measure_sends(command, count=count, environ=environ)


async def measure_sends(
    command: Sequence[str], *, count: int, environ: Mapping[str, str]
) -> dict[str, float]:
    """Return what a command says of so many sends; raises `RuntimeError` when it made fewer."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=clean_environ() | dict(environ),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    found = msgspec.json.decode(output, type=dict[str, float])
    if found["sent"] != count:
        raise RuntimeError(f"{command[-3:]} made {found['sent']:g} of {count} sends")
    return {
        "sends/s": count / found["seconds"],
        "CPU µs": found["cpu"] / count * MICRO,
        "resident MiB": found["resident"] / MIB,
    }
