"""The machine of a run, as far as it matters for the figures."""

import os
import platform
import shutil
import sqlite3
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.measurement import MILLI

_SYNCS = 100
_PAGE = bytes(4096)


def describe(folder: Path) -> dict[str, str]:
    """Return what the machine is, and how fast the disk of a folder makes a page durable."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE") / (1 << 30)
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Node.js": _node(),
        "SQLite": sqlite3.sqlite_version,
        "Apprise": version("apprise"),
        "fdatasync of 4 KiB": f"{_sync(folder) * MILLI:.2f} ms",
        "load average before": load,
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        return "not there"
    return subprocess.run([node, "-v"], capture_output=True, text=True, check=True).stdout.strip()


def _sync(folder: Path) -> float:
    path = folder / "sync"
    times = []
    with path.open("wb") as file:
        for _ in range(_SYNCS):
            file.write(_PAGE)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return median(times)
