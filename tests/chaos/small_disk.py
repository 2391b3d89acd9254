"""A small disk for a database, that can be filled and emptied again."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.acceptance.router_process import RouterProcess

BLOCK = 4096
MOST = 16 << 20


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """Mount a small disk on a folder; False where nobody may mount."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MOST}", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        made = False
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder: Path, *, is_mounted: bool) -> None:
    """Let nobody write in a folder; where it is no disk of its own, nobody but root."""
    if is_mounted:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        return
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)


def make_writable(folder: Path, *, is_mounted: bool) -> None:
    """Take `make_read_only` back."""
    if is_mounted:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        return
    folder.chmod(0o700)
    for path in folder.iterdir():
        path.chmod(0o600)


@contextmanager
def crammed(folder: Path) -> Iterator[None]:
    """Fill the disk of a folder to its last block for a while."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(BLOCK)):
                assert file.tell() < MOST, "a disk without an end"
        yield
    finally:
        ballast.unlink()


@contextmanager
def barred(process: RouterProcess) -> Iterator[None]:
    """Let a running process write to no file for a while."""
    limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
